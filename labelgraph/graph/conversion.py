"""Label graphs to and from networkx."""

from __future__ import annotations

import networkx as nx
import torch
from torch_geometric.data import Data


def to_networkx(data: Data) -> nx.DiGraph:
    """Convert a label graph to a networkx graph whose nodes are the label names.

    Nodes carry ``count``; edges carry ``weight`` and, where known, ``count``; the graph carries
    ``num_samples``. Embeddings are left behind.

    Example:
        >>> from labelgraph.graph import cooccurrence_graph, to_networkx
        >>> to_networkx(cooccurrence_graph([[1, 1], [1, 0]], ["sky", "sun"])).edges(data="weight")
        OutEdgeDataView([('sky', 'sun', 1.0), ('sun', 'sky', 0.5)])
    """
    graph = nx.DiGraph(num_samples=data.num_samples)
    names = data.label_names
    graph.add_nodes_from((name, {"count": n}) for name, n in zip(names, data.count.tolist(), strict=True))
    counts = data.edge_count.tolist() if "edge_count" in data else [None] * data.num_edges
    for (i, j), weight, count in zip(data.edge_index.T.tolist(), data.edge_weight.tolist(), counts, strict=True):
        graph.add_edge(names[i], names[j], weight=weight, **({} if count is None else {"count": count}))
    return graph


def from_networkx(graph: nx.DiGraph) -> Data:
    """Convert a networkx graph to a label graph; nodes become labels in their order.

    Edges need no attributes: ``weight`` defaults to 1. ``edge_count`` is set where every edge has a
    ``count``, node counts default to 0. An undirected graph gives both directions.
    """
    directed = graph.to_directed()
    number = {node: i for i, node in enumerate(directed.nodes)}
    edges = sorted(((number[i], number[j], a) for i, j, a in directed.edges(data=True)), key=lambda edge: edge[:2])
    data = Data(
        edge_index=torch.tensor([[i, j] for i, j, _ in edges], dtype=torch.long).reshape(-1, 2).T.contiguous(),
        edge_weight=torch.tensor([float(attributes.get("weight", 1.0)) for *_, attributes in edges]),
        count=torch.tensor([int(n or 0) for _, n in directed.nodes(data="count")], dtype=torch.long),
        num_samples=int(graph.graph.get("num_samples", 0)),
        num_nodes=len(number),
        label_names=[str(node) for node in directed.nodes],
    )
    if edges and all("count" in attributes for *_, attributes in edges):
        data.edge_count = torch.tensor([attributes["count"] for *_, attributes in edges], dtype=torch.long)
    return data
