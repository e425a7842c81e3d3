"""Label graphs to and from networkx."""

import networkx as nx
import numpy as np
import pytest
import torch

from labelgraph.graph import KNN, BinaryAdjacency, cooccurrence_graph, from_networkx, to_networkx

LABELS = np.random.default_rng(0).random((30, 6)) < 0.3


def test_nodes_and_edges_in_networkx():
    graph = to_networkx(cooccurrence_graph([[1, 1, 0], [1, 0, 0], [1, 1, 0]], ["sky", "sun", "cat"]))
    assert dict(graph.nodes(data="count")) == {"sky": 3, "sun": 2, "cat": 0}
    assert graph.edges["sky", "sun"] == {"weight": 1.0, "count": 2}
    assert graph.edges["sun", "sky"] == {"weight": pytest.approx(2 / 3), "count": 2}
    assert graph.number_of_edges() == 2 and graph.graph == {"num_samples": 3}


def test_the_adjacency_matrix_is_the_same():
    data = cooccurrence_graph(LABELS)
    matrix = nx.to_numpy_array(to_networkx(data), nodelist=data.label_names)
    expected = np.zeros((6, 6))
    expected[tuple(data.edge_index.numpy())] = data.edge_weight.numpy()
    np.testing.assert_allclose(matrix, expected)


@pytest.mark.parametrize("labels", [LABELS, np.eye(3), [[1]], [[0, 0]]], ids=["random", "eye", "one", "none"])
@pytest.mark.parametrize("prepare", [lambda data: data, KNN(1)], ids=["counted", "pruned"])
def test_round_trip(labels, prepare):
    data = prepare(cooccurrence_graph(labels))
    again = from_networkx(to_networkx(data))
    assert torch.equal(again.edge_index, data.edge_index) and torch.equal(again.edge_weight, data.edge_weight)
    assert torch.equal(again.count, data.count) and again.num_nodes == data.num_nodes
    assert again.num_samples == data.num_samples and again.label_names == data.label_names
    if data.num_edges:
        assert torch.equal(again.edge_count, data.edge_count)


def test_round_trip_without_counts_keeps_self_loops():
    data = BinaryAdjacency(0.2)(cooccurrence_graph(LABELS))
    again = from_networkx(to_networkx(data))
    assert "edge_count" not in again
    order = (data.edge_index[0] * 6 + data.edge_index[1]).argsort()
    assert torch.equal(again.edge_index, data.edge_index[:, order])
    assert torch.equal(again.edge_weight, data.edge_weight[order])


def test_a_plain_networkx_graph_gets_defaults_and_both_directions():
    graph = nx.Graph()
    graph.add_node("alone", count=4)
    graph.add_edge("a", 7)
    data = from_networkx(graph)
    assert data.label_names == ["alone", "a", "7"] and data.count.tolist() == [4, 0, 0]
    assert data.edge_index.tolist() == [[1, 2], [2, 1]] and data.edge_weight.tolist() == [1.0, 1.0]
    assert "edge_count" not in data and data.num_samples == 0


def test_a_directed_graph_keeps_its_directions():
    data = from_networkx(nx.DiGraph([(0, 1, {"weight": -2}), (2, 0), (1, 1)]))
    assert data.edge_index.tolist() == [[0, 1, 2], [1, 1, 0]] and data.edge_weight.tolist() == [
        -2.0,
        1.0,
        1.0,
    ]


def test_parallel_edges_are_kept():
    data = from_networkx(nx.MultiDiGraph([("a", "b", {"weight": 1}), ("a", "b", {"weight": 2})]))
    assert data.edge_index.tolist() == [[0, 0], [1, 1]] and sorted(data.edge_weight.tolist()) == [1.0, 2.0]


def test_an_empty_graph():
    data = from_networkx(nx.DiGraph())
    assert data.edge_index.shape == (2, 0) and data.num_nodes == 0 and data.label_names == []
