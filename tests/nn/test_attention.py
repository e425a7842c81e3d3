"""The adjacency learned by attention against loops."""

from math import exp, sqrt

import pytest
import torch

from labelgraph.graph import BinaryAdjacency, cooccurrence_graph
from labelgraph.nn import AttentionAdjacency, complete_edges, propagate

LABELS = torch.rand(40, 6, generator=torch.Generator().manual_seed(0)) < torch.linspace(0.1, 0.7, 6)


def features(size=6, channels=4, seed=0):
    return torch.randn(size, channels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def make(in_channels=4, channels=5, graph=None):
    torch.manual_seed(0)
    adjacency = AttentionAdjacency(in_channels, channels, graph)
    with torch.no_grad():
        adjacency.query.weight.mul_(4)
    return adjacency.double()


def label_graph():
    """A directed graph over six labels, and the matrix that multiplies their features."""
    graph = BinaryAdjacency(0.4)(cooccurrence_graph(LABELS))
    matrix = torch.zeros(6, 6, dtype=torch.float64)
    for (source, target), weight in zip(graph.edge_index.t().tolist(), graph.edge_weight.tolist(), strict=True):
        matrix[source, target] += weight
    degree = matrix.sum(1).tolist()
    propagation = torch.zeros_like(matrix)
    for i in range(6):
        for j in range(6):
            propagation[j, i] = matrix[i, j] / sqrt(degree[i] * degree[j])
    assert not torch.allclose(propagation, propagation.t())
    return graph, propagation


def slow(adjacency, x):
    """Softmax over j of <Q x_i, K x_j> / sqrt(d)."""
    query, key = (x @ linear.weight.t() for linear in (adjacency.query, adjacency.key))
    out = torch.zeros(len(x), len(x), dtype=torch.float64)
    for i in range(len(x)):
        row = [exp((query[i] @ key[j]).item() / sqrt(adjacency.query.out_features)) for j in range(len(x))]
        out[i] = torch.tensor([entry / sum(row) for entry in row])
    return out


def listening(adjacency, x, *similarity):
    """The matrix that multiplies the features, seen through a propagation step."""
    edge_index, weight = adjacency(x, *similarity)
    assert torch.equal(edge_index, complete_edges(len(x)))
    return propagate(torch.eye(len(x), dtype=x.dtype), edge_index, weight)


@pytest.mark.parametrize("size", [6, 2, 1])
def test_coefficients_against_a_loop(size):
    adjacency, x = make(), features(size)
    coefficients = adjacency.coefficients(x)
    torch.testing.assert_close(coefficients, slow(adjacency, x))
    torch.testing.assert_close(coefficients.sum(1), torch.ones(size).double())
    assert size == 1 or not torch.allclose(coefficients, coefficients.t())


def test_each_node_listens_by_its_row():
    adjacency, x = make(), features()
    similarity, y = torch.randn(6, 6).double(), features(6, 3, seed=1)
    p = slow(adjacency, x) + similarity
    expected = torch.stack([sum(p[i, j] * y[j] for j in range(6)) for i in range(6)])
    torch.testing.assert_close(propagate(y, *adjacency(x, similarity)), expected)


def test_without_any_similarity():
    adjacency, x = make(), features()
    torch.testing.assert_close(listening(adjacency, x), slow(adjacency, x))
    assert adjacency.static is None


def test_the_sign_of_the_similarity_is_kept():
    adjacency, x = make(), features()
    similarity = -2 * torch.eye(6).double()
    p = listening(adjacency, x, similarity)
    torch.testing.assert_close(p, slow(adjacency, x) + similarity)
    assert (p.diagonal() < 0).all()


def test_over_labels_the_source_normalised_graph_is_added():
    graph, propagation = label_graph()
    adjacency, x = make(graph=graph), features()
    torch.testing.assert_close(listening(adjacency, x), slow(adjacency, x) + propagation, rtol=1e-5, atol=1e-6)


def test_a_given_similarity_takes_the_place_of_the_graph():
    adjacency, x = make(graph=label_graph()[0]), features()
    similarity = torch.randn(6, 6).double()
    torch.testing.assert_close(listening(adjacency, x, similarity), slow(adjacency, x) + similarity)
    torch.testing.assert_close(listening(adjacency, x, 0 * similarity), slow(adjacency, x))


def test_batches_of_any_size():
    adjacency = make()
    for size in (1, 5, 2, 11):
        x, similarity = features(size, seed=size), torch.randn(size, size).double()
        torch.testing.assert_close(listening(adjacency, x, similarity), slow(adjacency, x) + similarity)


def test_the_order_of_items_carries_over():
    adjacency, x, similarity = make(), features(), torch.randn(6, 6).double()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    moved = listening(adjacency, x[order], similarity[order][:, order])
    torch.testing.assert_close(moved, listening(adjacency, x, similarity)[order][:, order])


def test_gradient_reaches_features_weights_and_similarity():
    adjacency, x = make(), features(3)
    inputs = (x.requires_grad_(), features(3, 3, seed=1).requires_grad_(), *adjacency.parameters())
    assert torch.autograd.gradcheck(lambda x, similarity, *_: adjacency(x, similarity)[1], inputs)


def test_queries_and_keys_are_learned_and_the_graph_is_saved():
    adjacency = make(graph=label_graph()[0])
    assert {name: tuple(parameter.shape) for name, parameter in adjacency.named_parameters()} == {
        "query.weight": (5, 4),
        "key.weight": (5, 4),
    }
    assert set(adjacency.state_dict()) == {"query.weight", "key.weight", "static"}
    assert set(make().state_dict()) == {"query.weight", "key.weight"}
    assert AttentionAdjacency(4).query.out_features == 64


def test_reset_draws_both_weights_anew():
    adjacency = make()
    before = [parameter.clone() for parameter in adjacency.parameters()]
    adjacency.reset_parameters()
    assert all(not torch.equal(old, new) for old, new in zip(before, adjacency.parameters(), strict=True))
