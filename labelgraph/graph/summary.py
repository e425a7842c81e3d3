"""A label graph in words."""

from __future__ import annotations

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
    names, size = data.label_names, data.num_nodes
    loops = data.edge_index[0] == data.edge_index[1]
    density = 100 * (~loops).sum().item() / max(size * (size - 1), 1)
    per_sample = data.count.sum().item() / max(data.num_samples, 1)
    touched = degree(data.edge_index[:, ~loops].flatten(), size) > 0
    isolated = [name for name, has_edge in zip(names, touched.tolist(), strict=True) if not has_edge]
    frequent = data.count.argsort(descending=True, stable=True)[:top].tolist()
    heaviest = data.edge_weight.argsort(descending=True, stable=True)[:top].tolist()
    ends = data.edge_index.T.tolist()
    lines = [
        f"Label graph: {size} labels, {data.num_edges} edges (density {density:.1f}%), "
        f"{data.num_samples} samples, {per_sample:.2f} labels a sample",
        f"Labels without edges: {_listed(isolated, top)}",
        "Most frequent: " + ", ".join(f"{names[i]} {data.count[i].item()}" for i in frequent),
    ]
    if heaviest:
        arrows = (f"{names[ends[e][0]]} -> {names[ends[e][1]]} {data.edge_weight[e].item():.2f}" for e in heaviest)
        lines.append("Heaviest edges: " + ", ".join(arrows))
    return "\n".join(lines)


def _listed(names: list[str], top: int) -> str:
    more = ", ..." if len(names) > top else ""
    return f"{len(names)} ({', '.join(names[:top])}{more})" if names else "none"
