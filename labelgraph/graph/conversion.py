"""Conversion of label graphs to and from networkx, and summaries of label graphs."""

from __future__ import annotations

import math
from typing import Any

import networkx as nx
import torch
from torch_geometric.data import Data
from torch_geometric.utils import degree

from labelgraph.graph.edges import LabelNames, checked, conditioned_end, names_of


def to_networkx(data: Data) -> nx.DiGraph:
    """Convert a label graph to a networkx graph whose nodes are the label names.

    Nodes have the attribute ``count``. Edges have ``weight`` and, if the label graph stores edge counts, ``count``.
    The graph has ``num_samples``. Embeddings are not converted. A label graph with parallel edges becomes a
    `networkx.MultiDiGraph`.

    Raises:
        ValueError: If a required attribute of the graph is missing.
        IndexError: If an edge refers to a label that does not exist.

    Example:
        >>> from labelgraph.graph import cooccurrence_graph, to_networkx
        >>> to_networkx(cooccurrence_graph([[1, 1], [1, 0]], ["sky", "sun"])).edges(data="weight")
        OutEdgeDataView([('sky', 'sun', 1.0), ('sun', 'sky', 0.5)])
    """
    data = checked(data, ("count", "num_samples"))
    names, edges = names_of(data), data.edge_index.T.tolist()
    parallel = len(set(map(tuple, edges))) < len(edges)
    graph = (nx.MultiDiGraph if parallel else nx.DiGraph)(num_samples=data.num_samples)
    graph.add_nodes_from((name, {"count": n}) for name, n in zip(names, data.count.tolist(), strict=True))
    counts = data.edge_count.tolist() if data.get("edge_count") is not None else [None] * data.num_edges
    for (i, j), weight, count in zip(edges, data.edge_weight.tolist(), counts, strict=True):
        graph.add_edge(names[i], names[j], weight=weight, **({} if count is None else {"count": count}))
    return graph


def from_networkx(graph: nx.DiGraph) -> Data:
    """Convert a networkx graph to a label graph; nodes become labels in the same order.

    Edges need no attributes: ``weight`` defaults to 1. ``edge_count`` is set if every edge has a ``count``. Node
    counts and ``num_samples`` default to 0; functions that need counts, such as `PMI`, then raise an error. An
    undirected edge becomes two directed edges.

    Raises:
        TypeError: If the argument is not a networkx graph.
        ValueError: If a weight is not a finite number, a count is not a whole number from 0, or two nodes have the
            same name.

    Example:
        >>> import networkx as nx
        >>> from labelgraph.graph import from_networkx
        >>> from_networkx(nx.DiGraph([("sky", "sun", {"weight": "heavy"})]))
        Traceback (most recent call last):
            ...
        ValueError: 'weight' of the edge 'sky' -> 'sun' must be a finite number (got 'heavy')
    """
    if not isinstance(graph, nx.Graph):
        raise TypeError(f"'graph' must be a networkx graph (got {type(graph).__name__})")
    directed = graph.to_directed()
    names = LabelNames(str(node) for node in directed.nodes)
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"'graph' must have nodes with distinct names (got {repeated!r} twice)")
    number = {node: i for i, node in enumerate(directed.nodes)}
    edges = sorted(((number[i], number[j], a) for i, j, a in directed.edges(data=True)), key=lambda edge: edge[:2])
    where = [f"of the edge {names[i]!r} -> {names[j]!r}" for i, j, _ in edges]
    weights = [_number("weight", at, a.get("weight", 1.0)) for at, (*_, a) in zip(where, edges, strict=True)]
    counts = [
        _whole("count", f"of the node {node!r}", 0 if n is None else n) for node, n in directed.nodes(data="count")
    ]
    data = Data(
        edge_index=torch.tensor([[i, j] for i, j, _ in edges], dtype=torch.long).reshape(-1, 2).T.contiguous(),
        edge_weight=torch.tensor(weights, dtype=torch.get_default_dtype()),
        count=torch.tensor(counts, dtype=torch.long),
        num_samples=_whole("num_samples", "of the graph", graph.graph.get("num_samples", 0)),
        num_nodes=len(number),
        label_names=names,
    )
    if edges and all("count" in attributes for *_, attributes in edges):
        counted = [_whole("count", at, a["count"]) for at, (*_, a) in zip(where, edges, strict=True)]
        data.edge_count = torch.tensor(counted, dtype=torch.long)
    return data


def _number(key: str, where: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"'{key}' {where} must be a finite number (got {value!r})")
    return number


def _whole(key: str, where: str, value: Any) -> int:
    number = _number(key, where, value)
    if number != int(number) or not 0 <= number < 2**63:
        raise ValueError(f"'{key}' {where} must be a whole number of at least 0 (got {value!r})")
    return int(value) if isinstance(value, int) else int(number)


def summarize(data: Data, top: int = 5) -> str:
    """Describe a label graph in text: size, density, isolated labels, most frequent labels, heaviest edges.

    If the weights are conditional probabilities, an arrow a -> b reads "if label a, then label b", whichever way
    messages flow. `graph_statistics` has the source and the target of the edges.

    Args:
        data: Label graph.
        top: Number of labels and edges to list.

    Example:
        >>> from labelgraph.graph import cooccurrence_graph, summarize
        >>> print(summarize(cooccurrence_graph([[1, 1, 0], [1, 0, 0]], ["sky", "sun", "cat"]), top=2))
        Label graph: 3 labels, 2 edges (density 33.3%), 2 samples, 1.50 labels a sample
        Labels without edges: 1 (cat)
        Most frequent: sky 2, sun 1
        Heaviest edges, a -> b is P(b | a): sun -> sky 1.00, sky -> sun 0.50
    """
    statistics = graph_statistics(data, top)
    share, isolated = 100 * statistics["density"], statistics["isolated"]
    counted = statistics["samples"] > 0 or statistics["labels_per_sample"] > 0
    samples = f"{statistics['samples']} samples, {statistics['labels_per_sample']:.2f} labels a sample"
    lines = [
        f"Label graph: {statistics['labels']} labels, {statistics['edges']} edges (density {share:.1f}%), "
        + (samples if counted else "no samples"),
        f"Labels without edges: {_listed(isolated, top)}",
    ]
    if counted:
        frequent = (f"{label['name']} {label['count']}" for label in statistics["most_frequent"])
        lines.append("Most frequent: " + ", ".join(frequent))
    if statistics["heaviest_edges"]:
        condition = conditioned_end(data)
        start, end = ("target", "source") if condition == "target" else ("source", "target")
        arrows = (f"{e[start]} -> {e[end]} {e['weight']:.2f}" for e in statistics["heaviest_edges"])
        lines.append(f"Heaviest edges{', a -> b is P(b | a)' if condition else ''}: {', '.join(arrows)}")
    return "\n".join(lines)


def graph_statistics(data: Data, top: int = 5) -> dict[str, Any]:
    """Compute the statistics that `summarize` prints.

    Args:
        data: Label graph.
        top: Number of labels and edges to list.

    Raises:
        ValueError: If a required attribute of the graph is missing.

    Returns:
        Dictionary with ``labels``, ``edges``, ``density``, ``samples``, ``labels_per_sample``, ``isolated`` (names of
        all isolated labels), ``most_frequent`` (name, count) and ``heaviest_edges`` (source, target, weight).

    Example:
        >>> from labelgraph.graph import cooccurrence_graph, graph_statistics
        >>> graph_statistics(cooccurrence_graph([[1, 1, 0], [1, 0, 0]], ["sky", "sun", "cat"]), top=1)["heaviest_edges"]
        [{'source': 'sky', 'target': 'sun', 'weight': 1.0}]
    """
    data = checked(data, ("count", "num_samples"))
    names, size = names_of(data), data.num_nodes
    loops = data.edge_index[0] == data.edge_index[1]
    connected = degree(data.edge_index[:, ~loops].flatten(), size) > 0
    frequent = data.count.argsort(descending=True, stable=True)[:top].tolist()
    heaviest = data.edge_weight.argsort(descending=True, stable=True)[:top]
    edges = zip(data.edge_index[:, heaviest].T.tolist(), data.edge_weight[heaviest].tolist(), strict=True)
    return {
        "labels": size,
        "edges": data.num_edges,
        "density": (~loops).sum().item() / max(size * (size - 1), 1),
        "samples": data.num_samples,
        "labels_per_sample": data.count.sum().item() / max(data.num_samples, 1),
        "isolated": [name for name, has_edge in zip(names, connected.tolist(), strict=True) if not has_edge],
        "most_frequent": [{"name": names[i], "count": data.count[i].item()} for i in frequent],
        "heaviest_edges": [{"source": names[i], "target": names[j], "weight": weight} for (i, j), weight in edges],
    }


def _listed(names: list[str], top: int) -> str:
    more = ", ..." if len(names) > top else ""
    return f"{len(names)} ({', '.join(names[:top])}{more})" if names else "none"
