"""Embeddings, adjacency and encoder in one."""

import torch

from labelgraph.graph import BinaryAdjacency, cooccurrence_graph
from labelgraph.nn import AdaptiveAdjacency, LabelBranch, LabelEmbedding, LabelEncoder, StaticAdjacency

GRAPH = cooccurrence_graph([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]])


def test_it_chains_its_parts():
    parts = LabelEmbedding(GRAPH, "learned", 5), AdaptiveAdjacency(GRAPH), LabelEncoder(5, 8)
    classifiers, edge_index, edge_weight = LabelBranch(*parts)()
    embedding, adjacency, encoder = parts
    assert torch.equal(edge_index, adjacency()[0]) and torch.equal(edge_weight, adjacency()[1])
    assert torch.equal(classifiers, encoder(embedding(), edge_index, edge_weight))


def test_the_adjacency_gets_the_embeddings():
    seen = []

    class Spy(StaticAdjacency):
        def forward(self, x=None):
            seen.append(x)
            return super().forward(x)

    embedding = LabelEmbedding(GRAPH, "one-hot")
    LabelBranch(embedding, Spy(GRAPH), LabelEncoder(4, 8))()
    assert seen[0] is embedding.weight


def test_a_label_without_edges_has_finite_gradients():
    """The fourth label has no neighbour and, in this graph, no self-loop."""
    graph = BinaryAdjacency(1.0)(GRAPH)
    loops = graph.edge_index[0] == graph.edge_index[1]
    graph.edge_index, graph.edge_weight = graph.edge_index[:, ~loops], graph.edge_weight[~loops]
    branch = LabelBranch(LabelEmbedding(graph, "learned", 5), StaticAdjacency(graph), LabelEncoder(5, 8))
    branch()[0].norm(dim=1).sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in branch.parameters())
