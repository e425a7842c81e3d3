"""The adjacency that stays as counted."""

import numpy as np
import pytest
import torch

from labelgraph.graph import KNN, Reweight, cooccurrence_graph
from labelgraph.nn import StaticAdjacency, source_norm

LABELS = np.random.default_rng(0).random((40, 6)) < np.linspace(0.1, 0.7, 6)


@pytest.mark.parametrize("normalize", [True, False])
def test_it_gives_the_edges_of_the_graph(normalize):
    graph = Reweight(0.3)(KNN(2)(cooccurrence_graph(LABELS)))
    edge_index, weight = StaticAdjacency(graph, normalize)(torch.rand(6, 2))
    expected = source_norm(graph.edge_index, graph.edge_weight, 6) if normalize else graph.edge_weight
    assert torch.equal(edge_index, graph.edge_index) and torch.equal(weight, expected)
    assert not torch.equal(source_norm(graph.edge_index, graph.edge_weight, 6), graph.edge_weight)


def test_it_does_not_share_memory_with_the_graph():
    graph = cooccurrence_graph(LABELS)
    adjacency = StaticAdjacency(graph, normalize=False)
    adjacency.edge_weight.zero_()
    adjacency.edge_index.zero_()
    assert graph.edge_weight.all() and graph.edge_index.any()


def test_it_learns_nothing_and_is_saved():
    adjacency = StaticAdjacency(cooccurrence_graph(LABELS))
    assert not list(adjacency.parameters()) and set(adjacency.state_dict()) == {"edge_index", "edge_weight"}
