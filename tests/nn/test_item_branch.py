"""Items of a batch that learn from their neighbours."""

import pytest
import torch

from labelgraph.nn import AttentionAdjacency, ItemBranch, ResidualAdjacency


def case(kind, size=5):
    torch.manual_seed(0)
    adjacency = AttentionAdjacency(4, 3) if kind == "attention" else ResidualAdjacency(5, 0.5)
    branch = ItemBranch(adjacency, 4, (7, 6), 3).double()
    return branch, torch.randn(size, 4).double(), torch.randn(size, size).double()


def listening(branch, x, similarity):
    """P of the formulas."""
    adjacency = branch.adjacency
    if isinstance(adjacency, ResidualAdjacency):
        return similarity + 0.5 * adjacency.weight[: len(x), : len(x)]
    scores = (x @ adjacency.query.weight.t()) @ (x @ adjacency.key.weight.t()).t() / 3**0.5
    return scores.exp() / scores.exp().sum(1, keepdim=True) + similarity


def slow(branch, x, p):
    for conv in (branch.conv1, branch.conv2):
        mapped = x @ conv.weight
        arrived = torch.stack([sum(p[i, j] * mapped[j] for j in range(len(x))) for i in range(len(x))])
        x = torch.clamp(arrived + conv.bias, min=0)
    return x @ branch.linear.weight.t() + branch.linear.bias


@pytest.mark.parametrize("kind", ["attention", "residual"])
@pytest.mark.parametrize("size", [5, 3, 1])
def test_against_the_formula(kind, size):
    branch, x, similarity = case(kind, size)
    p = listening(branch, x, similarity)
    assert size == 1 or ((p < 0).any() and not torch.allclose(p, p.t()))
    torch.testing.assert_close(branch(x, similarity), slow(branch, x, p))


def test_an_item_that_hears_nobody_has_the_code_of_the_biases():
    branch, x, similarity = case("residual")
    with torch.no_grad():
        branch.adjacency.weight[2] = 0
        branch.conv2.bias.uniform_(-1, 1)
    similarity[2] = 0
    hidden = torch.relu(branch.conv2.bias)
    torch.testing.assert_close(branch(x, similarity)[2], branch.linear(hidden))
    assert hidden.any()


def test_the_order_of_items_carries_over():
    branch, x, similarity = case("attention")
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(branch(x[order], similarity[order][:, order]), branch(x, similarity)[order])


@pytest.mark.parametrize("kind", ["attention", "residual"])
def test_every_weight_learns(kind):
    branch, x, similarity = case(kind)
    branch(x, similarity).square().sum().backward()
    assert all(parameter.grad.any() and torch.isfinite(parameter.grad).all() for parameter in branch.parameters())
    assert branch.conv1.bias.shape == (7,) and branch.conv2.bias.shape == (6,)
