"""Normalisation by the outgoing degree."""

import pytest
import torch
from torch_geometric.nn.conv.gcn_conv import gcn_norm

from labelgraph.nn import dense_adjacency, source_norm


def random_graph(size=7, share=0.5, seed=0):
    """Directed, weighted, with self-loops, and with a label that no edge leaves."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.rand(size, size, generator=generator, dtype=torch.float64)
    matrix *= torch.rand(size, size, generator=generator) < share
    matrix[2] = 0
    edge_index = matrix.nonzero().t()
    return edge_index, matrix[*edge_index], matrix


def formula(matrix):
    degree = matrix.sum(1)
    scale = torch.diag(torch.where(degree > 0, degree**-0.5, 0.0))
    return scale @ matrix.t() @ scale


@pytest.mark.parametrize("size", [3, 7, 20])
def test_against_the_dense_formula(size):
    edge_index, weight, matrix = random_graph(size)
    normalised = dense_adjacency(edge_index, source_norm(edge_index, weight, size), size).t()
    torch.testing.assert_close(normalised, formula(matrix))


def test_the_order_of_edges_and_parallel_edges_do_not_matter():
    edge_index, weight, matrix = random_graph()
    order = torch.randperm(weight.numel())
    twice, halves = edge_index[:, order].repeat(1, 2), weight[order].repeat(2) / 2
    normalised = dense_adjacency(twice, source_norm(twice, halves, 7), 7).t()
    torch.testing.assert_close(normalised, formula(matrix))


def test_as_gcn_norm_on_symmetric_graphs_and_not_on_directed_ones():
    edge_index, weight, matrix = random_graph()
    assert not torch.allclose(
        source_norm(edge_index, weight, 7), gcn_norm(edge_index, weight, 7, add_self_loops=False)[1]
    )
    matrix = matrix + matrix.t()
    edge_index = matrix.nonzero().t()
    weight = matrix[*edge_index]
    torch.testing.assert_close(
        source_norm(edge_index, weight, 7), gcn_norm(edge_index, weight, 7, add_self_loops=False)[1]
    )


def test_gradient():
    edge_index, weight, _ = random_graph()
    assert torch.autograd.gradcheck(lambda w: source_norm(edge_index, w, 7), weight.requires_grad_())


def test_labels_without_outgoing_weight_get_zero_and_finite_gradients():
    edge_index = torch.tensor([[0, 0, 1, 3, 3], [1, 2, 0, 0, 1]])
    weight = torch.tensor([1.0, 3.0, 0.0, -1.0, 0.5], requires_grad=True)
    normalised = source_norm(edge_index, weight, 5)
    assert normalised.tolist() == [0.0] * 5
    normalised.sum().backward()
    assert torch.isfinite(weight.grad).all()


def test_no_edges():
    assert source_norm(torch.empty(2, 0, dtype=torch.long), torch.empty(0), 3).shape == (0,)
