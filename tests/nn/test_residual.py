"""The residual of a batch's places against loops."""

from math import sqrt

import pytest
import torch

from labelgraph.nn import ResidualAdjacency, complete_edges, propagate


def case(size, num_items=6, **arguments):
    torch.manual_seed(0)
    adjacency = ResidualAdjacency(num_items, **arguments)
    return adjacency, torch.randn(size, 4), torch.randn(size, size)


def slow(adjacency, similarity, gamma, y):
    """What arrives at item i: the sum over j of P_ij y_j."""
    out = torch.zeros_like(y)
    for i in range(len(y)):
        for j in range(len(y)):
            out[i] += (similarity[i, j] + gamma * adjacency.weight[i, j]) * y[j]
    return out


@pytest.mark.parametrize("size", [6, 4, 1])
@pytest.mark.parametrize("gamma", [0.0, 0.5, -2.0])
def test_against_loops_with_whole_and_smaller_batches(size, gamma):
    adjacency, x, similarity = case(size, gamma=gamma)
    edge_index, weight = adjacency(x, similarity)
    assert torch.equal(edge_index, complete_edges(size))
    y = torch.randn(size, 3)
    torch.testing.assert_close(propagate(y, edge_index, weight), slow(adjacency, similarity, gamma, y))


def test_the_default_factor_is_as_published():
    adjacency, x, _ = case(6)
    _, weight = adjacency(x, torch.zeros(6, 6))
    torch.testing.assert_close(weight.view(6, 6), 0.45 * adjacency.weight.t())


def test_features_do_not_matter():
    adjacency, x, similarity = case(5)
    assert torch.equal(adjacency(x, similarity)[1], adjacency(x + 1, similarity)[1])


def test_a_smaller_batch_teaches_its_own_part_alone():
    adjacency, x, similarity = case(4)
    adjacency(x, similarity.requires_grad_())[1].sum().backward()
    expected = torch.zeros(6, 6)
    expected[:4, :4] = 0.45
    torch.testing.assert_close(adjacency.weight.grad, expected)
    assert torch.equal(similarity.grad, torch.ones(4, 4))


def test_a_larger_batch_is_refused():
    adjacency, x, similarity = case(7)
    with pytest.raises(ValueError, match=r"a batch must have at most 6 items, 'num_items' \(got 7\)"):
        adjacency(x, similarity)


def test_the_residual_is_drawn_kaiming_uniformly():
    torch.manual_seed(0)
    adjacency = ResidualAdjacency(100)
    bound = 1 / sqrt(100)
    assert bound * 0.99 < adjacency.weight.abs().max() <= bound
    assert adjacency.weight.std().item() == pytest.approx(bound / sqrt(3), rel=0.02)
    before = adjacency.weight.clone()
    adjacency.reset_parameters()
    assert not torch.equal(adjacency.weight, before)


def test_only_the_residual_is_saved():
    assert {name: tuple(value.shape) for name, value in case(6)[0].state_dict().items()} == {"weight": (6, 6)}
