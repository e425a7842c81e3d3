"""Propagation, dense and sparse, against a loop."""

import pytest
import torch

from labelgraph.nn import dense_adjacency, propagate, propagation


@pytest.fixture(params=["dense", "sparse"])
def way(request, monkeypatch):
    if request.param == "sparse":
        monkeypatch.setattr(propagation, "DENSE_NODES", 0)
        monkeypatch.setattr(propagation, "DENSE_SHARE", float("inf"))
        monkeypatch.setattr(propagation, "EDGE_BLOCK", 5)
    return request.param


def random_graph(size=6, num_edges=17, channels=3, seed=0):
    """Directed, with signed weights, parallel edges, self-loops and a node without edges."""
    generator = torch.Generator().manual_seed(seed)
    edge_index = torch.randint(0, max(size - 1, 1), (2, num_edges), generator=generator)
    edge_weight = torch.randn(num_edges, generator=generator, dtype=torch.float64)
    return torch.randn(size, channels, generator=generator, dtype=torch.float64), edge_index, edge_weight


def slow(x, edge_index, edge_weight):
    out = torch.zeros_like(x)
    for (source, target), weight in zip(edge_index.t().tolist(), edge_weight, strict=True):
        out[target] += weight * x[source]
    return out


@pytest.mark.parametrize(("size", "num_edges", "channels"), [(6, 17, 3), (2, 1, 1), (1, 0, 4), (31, 200, 5), (5, 0, 2)])
def test_against_a_loop(way, size, num_edges, channels):
    graph = random_graph(size, num_edges, channels)
    torch.testing.assert_close(propagate(*graph), slow(*graph))


def test_direction_counts(way):
    x, edge_index, edge_weight = random_graph()
    backward = propagate(x, edge_index.flip(0), edge_weight)
    assert not torch.allclose(propagate(x, edge_index, edge_weight), backward)


def test_parallel_edges_add_up(way):
    edge_index = torch.tensor([[0, 0, 0], [1, 1, 1]])
    out = propagate(torch.tensor([[2.0], [7.0]]), edge_index, torch.tensor([1.0, 0.5, -3.0]))
    assert out.tolist() == [[0.0], [-3.0]]


def test_the_order_of_edges_does_not_matter(way):
    x, edge_index, edge_weight = random_graph()
    order = torch.randperm(edge_weight.numel())
    torch.testing.assert_close(
        propagate(x, edge_index[:, order], edge_weight[order]), propagate(x, edge_index, edge_weight)
    )


def test_gradients(way):
    x, edge_index, edge_weight = random_graph()
    inputs = (x.requires_grad_(), edge_weight.requires_grad_())
    assert torch.autograd.gradcheck(lambda x, w: propagate(x, edge_index, w), inputs)


@pytest.mark.parametrize("wanted", ["x", "weight"])
def test_gradient_of_one_factor_alone(way, wanted):
    x, edge_index, edge_weight = random_graph()
    chosen = (x if wanted == "x" else edge_weight).requires_grad_()
    (expected,) = torch.autograd.grad(slow(x, edge_index, edge_weight).sin().sum(), chosen)
    propagate(x, edge_index, edge_weight).sin().sum().backward()
    torch.testing.assert_close(chosen.grad, expected)


def test_gradients_without_edges(way):
    x, edge_index, edge_weight = random_graph(num_edges=0)
    propagate(x.requires_grad_(), edge_index, edge_weight.requires_grad_()).sum().backward()
    assert not x.grad.any() and edge_weight.grad.shape == (0,)


@pytest.mark.parametrize(("size", "num_edges", "sparse"), [(40, 300, True), (40, 1600, False), (20, 10, False)])
def test_which_way_is_taken(monkeypatch, size, num_edges, sparse):
    monkeypatch.setattr(propagation, "DENSE_NODES", 30)
    taken = []
    monkeypatch.setattr(propagation, "dense_adjacency", lambda *a: taken.append("dense") or dense_adjacency(*a))
    monkeypatch.setattr(propagation, "DENSE_SHARE", 0.5)
    graph = random_graph(size, num_edges)
    torch.testing.assert_close(propagate(*graph), slow(*graph))
    assert taken == ([] if sparse else ["dense"])


def test_dense_adjacency_against_a_loop():
    _, edge_index, edge_weight = random_graph()
    matrix = [[0.0] * 6 for _ in range(6)]
    for (source, target), weight in zip(edge_index.t().tolist(), edge_weight.tolist(), strict=True):
        matrix[source][target] += weight
    torch.testing.assert_close(dense_adjacency(edge_index, edge_weight, 6), torch.tensor(matrix, dtype=torch.float64))
