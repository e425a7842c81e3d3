"""The probability of sharing a label, against a loop and against chance."""

import pytest
import torch

from labelgraph.nn import relevance_features
from labelgraph.retrieval import expected_relevance, expected_shared


def drawn(size, num_labels, seed=0):
    return torch.rand(size, num_labels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) ** 2


def by_loop(p, q):
    found = torch.empty(len(p), len(q), dtype=torch.float64)
    for i, x in enumerate(p.tolist()):
        for j, y in enumerate(q.tolist()):
            none = 1.0
            for a, b in zip(x, y, strict=True):
                none *= 1 - a * b
            found[i, j] = 1 - none
    return found


@pytest.mark.parametrize(("queries", "items", "labels"), [(7, 5, 3), (1, 1, 1), (3, 0, 4), (0, 2, 4)])
def test_equals_a_loop(queries, items, labels):
    p, q = drawn(queries, labels, 1), drawn(items, labels, 2)
    torch.testing.assert_close(expected_relevance(p, q), by_loop(p, q))


def test_blocks_do_not_matter():
    p, q = drawn(9, 200_000, 1) / 1e5, drawn(8, 200_000, 2)  # Two rows a block.
    whole = -torch.expm1(torch.log1p(-p[:, None] * q).sum(-1))
    torch.testing.assert_close(expected_relevance(p, q), whole)


def test_equals_the_share_of_drawn_labels():
    """Labels drawn many times: how often is one shared, and how many are?"""
    p, q = drawn(3, 4, 1), drawn(2, 4, 2)
    generator = torch.Generator().manual_seed(3)
    draws = 40_000
    left = torch.rand(draws, 3, 4, generator=generator) < p
    right = torch.rand(draws, 2, 4, generator=generator) < q
    shared = (left[:, :, None] & right[:, None]).sum(-1)
    torch.testing.assert_close((shared > 0).double().mean(0), expected_relevance(p, q), atol=0.01, rtol=0)
    torch.testing.assert_close(shared.double().mean(0), expected_shared(p, q), atol=0.02, rtol=0)


def test_certain_labels_are_relevant_for_certain():
    p, q = torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([[1.0, 0.5], [0.0, 1.0]])
    assert expected_relevance(p, q).tolist() == [[1.0, 0.0], [0.0, 0.0]]


def test_what_is_small_is_kept():
    p = torch.full((1, 3), 1e-5)
    assert expected_relevance(p, p).item() == pytest.approx(3e-10, rel=1e-5)


def test_features_rank_as_the_probability_does():
    p, q = drawn(5, 6, 1), drawn(40, 6, 2)
    products = relevance_features(p, 60) @ relevance_features(q, 60).t()
    assert torch.equal(products.argsort(1), expected_relevance(p, q).argsort(1))
    assert not torch.equal((p @ q.t()).argsort(1), expected_relevance(p, q).argsort(1))


@pytest.mark.parametrize("function", [expected_relevance, expected_shared])
@pytest.mark.parametrize(
    ("p", "q", "message"),
    [
        (torch.zeros(2, 3), torch.zeros(2, 4), r"'q' must have the shape \(N, 3\) \(got \(2, 4\)\)"),
        (torch.zeros(3), torch.zeros(2, 3), r"'p' must have the shape"),
        (torch.tensor([[1.5]]), torch.zeros(1, 1), r"'p' must be probabilities in \[0, 1\] \(got 1.5 to 1.5\)"),
        (torch.zeros(1, 1), torch.tensor([[torch.nan]]), r"'q' must be probabilities"),
    ],
)
def test_wrong_arguments_are_named(function, p, q, message):
    with pytest.raises(ValueError, match=message):
        function(p, q)
