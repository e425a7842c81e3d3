"""A label graph in words."""

from __future__ import annotations

from typing import Any

from torch_geometric.data import Data
from torch_geometric.utils import degree


def summarize(data: Data, top: int = 5) -> str:
    """Describe a label graph: size, density, isolated labels, frequent labels, strongest edges.

    Args:
        data: A label graph.
        top: How many labels and edges to list.

    Example:
        >>> from labelgraph.graph import cooccurrence_graph, summarize
        >>> print(summarize(cooccurrence_graph([[1, 1, 0], [1, 0, 0]], ["sky", "sun", "cat"]), top=2))
        Label graph: 3 labels, 2 edges (density 33.3%), 2 samples, 1.50 labels a sample
        Labels without edges: 1 (cat)
        Most frequent: sky 2, sun 1
        Heaviest edges: sky -> sun 1.00, sun -> sky 0.50
    """
    found = graph_statistics(data, top)
    share, isolated = 100 * found["density"], found["isolated"]
    lines = [
        f"Label graph: {found['labels']} labels, {found['edges']} edges (density {share:.1f}%), "
        f"{found['samples']} samples, {found['labels_per_sample']:.2f} labels a sample",
        f"Labels without edges: {_listed(isolated, top)}",
        "Most frequent: " + ", ".join(f"{label['name']} {label['count']}" for label in found["most_frequent"]),
    ]
    if found["heaviest_edges"]:
        arrows = (f"{e['source']} -> {e['target']} {e['weight']:.2f}" for e in found["heaviest_edges"])
        lines.append("Heaviest edges: " + ", ".join(arrows))
    return "\n".join(lines)


def graph_statistics(data: Data, top: int = 5) -> dict[str, Any]:
    """What `summarize` tells, as plain values.

    Args:
        data: A label graph.
        top: How many labels and edges to list.

    Returns:
        ``labels``, ``edges``, ``density``, ``samples``, ``labels_per_sample``, ``isolated`` (all names),
        ``most_frequent`` (name, count) and ``heaviest_edges`` (source, target, weight).

    Example:
        >>> from labelgraph.graph import cooccurrence_graph, graph_statistics
        >>> graph_statistics(cooccurrence_graph([[1, 1, 0], [1, 0, 0]], ["sky", "sun", "cat"]), top=1)["heaviest_edges"]
        [{'source': 'sky', 'target': 'sun', 'weight': 1.0}]
    """
    names, size = data.label_names, data.num_nodes
    loops = data.edge_index[0] == data.edge_index[1]
    touched = degree(data.edge_index[:, ~loops].flatten(), size) > 0
    frequent = data.count.argsort(descending=True, stable=True)[:top].tolist()
    heaviest = data.edge_weight.argsort(descending=True, stable=True)[:top]
    edges = zip(data.edge_index[:, heaviest].T.tolist(), data.edge_weight[heaviest].tolist(), strict=True)
    return {
        "labels": size,
        "edges": data.num_edges,
        "density": (~loops).sum().item() / max(size * (size - 1), 1),
        "samples": data.num_samples,
        "labels_per_sample": data.count.sum().item() / max(data.num_samples, 1),
        "isolated": [name for name, has_edge in zip(names, touched.tolist(), strict=True) if not has_edge],
        "most_frequent": [{"name": names[i], "count": data.count[i].item()} for i in frequent],
        "heaviest_edges": [{"source": names[i], "target": names[j], "weight": weight} for (i, j), weight in edges],
    }


def _listed(names: list[str], top: int) -> str:
    more = ", ..." if len(names) > top else ""
    return f"{len(names)} ({', '.join(names[:top])}{more})" if names else "none"
