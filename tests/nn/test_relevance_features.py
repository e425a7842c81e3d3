"""Features of which the product is the logarithm of sharing no label."""

import math

import pytest
import torch

from labelgraph.nn import relevance_features
from labelgraph.nn.relevance_features import _weights


def drawn(size, num_labels, seed=0, most=1.0):
    return most * torch.rand(size, num_labels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def product(p, q, order, exact_at=None):
    return relevance_features(p, order, exact_at) @ relevance_features(q, order, exact_at).t()


def by_loop(p, q):
    """-log of the probability of sharing none, pair by pair."""
    return torch.tensor([[-sum(math.log(1 - a * b) for a, b in zip(x, y, strict=True)) for y in q] for x in p.tolist()])


@pytest.mark.parametrize("order", [1, 2, 5, 9])
def test_the_error_is_within_its_bound(order):
    p, q = drawn(7, 5, 1, 0.95), drawn(6, 5, 2, 0.95)
    exact = -torch.log1p(-p[:, None] * q).sum(-1)
    shared = p[:, None] * q
    bound = (shared ** (order + 1) / ((order + 1) * (1 - shared))).sum(-1)
    lacking = exact - product(p, q, order)
    assert (lacking >= 0).all() and (lacking <= bound).all() and (lacking > bound / 20).all()


def test_many_powers_are_exact():
    p, q = drawn(4, 3, 1, 0.8), drawn(5, 3, 2, 0.8)
    torch.testing.assert_close(product(p, q, 80), by_loop(p, q.tolist()).double(), rtol=1e-6, atol=1e-7)


def test_one_power_counts_shared_labels():
    p, q = drawn(4, 3, 1), drawn(5, 3, 2)
    torch.testing.assert_close(product(p, q, 1), p @ q.t())


@pytest.mark.parametrize("order", [1, 3, 6])
def test_the_folded_tail_is_exact_at_its_point_and_bounded_below(order):
    point = 0.9
    one = torch.ones(1, 1, dtype=torch.float64)
    assert product(one * point, one, order, point).item() == pytest.approx(-math.log(1 - point))
    s = torch.linspace(0, point, 101, dtype=torch.float64).unsqueeze(1)
    above = product(s, one, order, point) + torch.log1p(-s)
    bound = s**order * (_weights(order, point)[-1] - 1 / order)
    assert (above >= -1e-12).all() and (above <= bound + 1e-12).all()
    assert product(one, one, order, point).item() < math.inf


def test_the_columns_of_a_power_stand_together():
    p = torch.tensor([[0.5, 0.25]])
    torch.testing.assert_close(relevance_features(p, 2), torch.tensor([[0.5, 0.25, 0.25 / 2**0.5, 0.0625 / 2**0.5]]))
    assert relevance_features(p[:0], 3).shape == (0, 6)


@pytest.mark.parametrize(
    ("options", "message"),
    [((0,), r"'order' must be at least 1 \(got 0\)"), ((2, 1.0), r"'exact_at' must be in \(0, 1\) \(got 1.0\)")],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        relevance_features(torch.zeros(1, 1), *options)
