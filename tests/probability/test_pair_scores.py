"""Scores of pairs and relevance features against loops over pairs, labels and label sets."""

import itertools
import math

import pytest
import torch

from labelgraph.probability import (
    expected_cosine,
    expected_jaccard,
    expected_relevance,
    expected_shared,
    pair_scores,
    relevance_features,
)
from labelgraph.probability.pair_scores import _weights


def drawn(size, num_labels, seed=0, most=1.0):
    return most * torch.rand(size, num_labels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def product(p, q, order, exact_at=None):
    return relevance_features(p, order, exact_at) @ relevance_features(q, order, exact_at).t()


def by_loop(p, q):
    """-log of the probability of sharing no label, pair by pair."""
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


def test_the_columns_of_a_power_are_adjacent():
    p = torch.tensor([[0.5, 0.25]])
    torch.testing.assert_close(relevance_features(p, 2), torch.tensor([[0.5, 0.25, 0.25 / 2**0.5, 0.0625 / 2**0.5]]))
    assert relevance_features(p[:0], 3).shape == (0, 6)


@pytest.mark.parametrize(
    ("options", "message"),
    [((0,), r"'order' must be at least 1 \(got 0\)"), ((2, 1.0), r"'exact_at' must be in \(0, 1\) \(got 1.0\)")],
)
def test_errors_name_wrong_arguments_of_relevance_features(options, message):
    with pytest.raises(ValueError, match=message):
        relevance_features(torch.zeros(1, 1), *options)


def drawn_expected_relevance(size, num_labels, seed=0):
    return torch.rand(size, num_labels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) ** 2


def by_loop_expected_relevance(p, q):
    result = torch.empty(len(p), len(q), dtype=torch.float64)
    for i, x in enumerate(p.tolist()):
        for j, y in enumerate(q.tolist()):
            none = 1.0
            for a, b in zip(x, y, strict=True):
                none *= 1 - a * b
            result[i, j] = 1 - none
    return result


@pytest.mark.parametrize(("queries", "items", "labels"), [(7, 5, 3), (1, 1, 1), (3, 0, 4), (0, 2, 4)])
def test_expected_relevance_equals_a_loop(queries, items, labels):
    p, q = drawn_expected_relevance(queries, labels, 1), drawn_expected_relevance(items, labels, 2)
    torch.testing.assert_close(expected_relevance(p, q), by_loop_expected_relevance(p, q))


def test_the_result_does_not_depend_on_blocks():
    p, q = drawn_expected_relevance(9, 200_000, 1) / 1e5, drawn_expected_relevance(8, 200_000, 2)  # Two rows a block.
    whole = -torch.expm1(torch.log1p(-p[:, None] * q).sum(-1))
    torch.testing.assert_close(expected_relevance(p, q), whole)


def test_expected_relevance_equals_the_frequency_of_shared_random_labels():
    """Compare with the frequency and mean number of shared labels in many random draws of labels."""
    p, q = drawn_expected_relevance(3, 4, 1), drawn_expected_relevance(2, 4, 2)
    generator = torch.Generator().manual_seed(3)
    draws = 40_000
    left = torch.rand(draws, 3, 4, generator=generator) < p
    right = torch.rand(draws, 2, 4, generator=generator) < q
    shared = (left[:, :, None] & right[:, None]).sum(-1)
    torch.testing.assert_close((shared > 0).double().mean(0), expected_relevance(p, q), atol=0.01, rtol=0)
    torch.testing.assert_close(shared.double().mean(0), expected_shared(p, q), atol=0.02, rtol=0)


def test_certain_labels_give_a_certain_relevance():
    p, q = torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([[1.0, 0.5], [0.0, 1.0]])
    assert expected_relevance(p, q).tolist() == [[1.0, 0.0], [0.0, 0.0]]


def test_small_probabilities_are_not_rounded_to_0():
    p = torch.full((1, 3), 1e-5)
    assert expected_relevance(p, p).item() == pytest.approx(3e-10, rel=1e-5)


def test_features_rank_like_the_probability():
    p, q = drawn_expected_relevance(5, 6, 1), drawn_expected_relevance(40, 6, 2)
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
def test_errors_name_wrong_arguments(function, p, q, message):
    with pytest.raises(ValueError, match=message):
        function(p, q)


@pytest.mark.parametrize("order", [1, 4, 8, 16])
@pytest.mark.parametrize("exact_at", [1e-3, 0.01, 0.1, 0.4, 0.6, 0.95])
def test_the_sum_is_exact_at_its_point(order, exact_at):
    """The last weight holds the remainder of the series, even if the remainder is small."""
    p = torch.tensor([[exact_at**0.5]], dtype=torch.float64)
    features = relevance_features(p, order, exact_at)
    assert torch.isfinite(features).all()
    rest = math.fsum(exact_at ** (k - order) / k for k in range(order, 2000))
    last = (features[0, -1] ** 2).item() / exact_at**order
    assert last == pytest.approx(rest, rel=1e-9)


@pytest.mark.parametrize("order", [1, 2, 4, 8, 12, 16, 40])
@pytest.mark.parametrize("point", [0.999, 0.95, 0.5, 0.1, 0.03, 0.01, 1e-3, 1e-8])
def test_the_last_weight_is_the_rest_of_the_series_however_small_its_point(order, point):
    terms = max(60, int(40 / -math.log(point)))
    rest = math.fsum(point**more / (order + more) for more in range(terms))
    assert _weights(order, point)[-1] == pytest.approx(rest, rel=1e-11)
    assert torch.isfinite(relevance_features(torch.tensor([[0.5]]), order, point)).all()


def sets_of(probabilities):
    """Return every label set with its probability."""
    for labels in itertools.product((0, 1), repeat=len(probabilities)):
        yield labels, math.prod(p if has else 1 - p for p, has in zip(probabilities, labels, strict=True))


def enumerated(p, q):
    """Return the expected sizes of intersection and union, and the expected ratio, over all pairs of label sets."""
    shared = union = ratio = 0.0
    for (y, at_y), (z, at_z) in itertools.product(sets_of(p), sets_of(q)):
        both, either = sum(a & b for a, b in zip(y, z, strict=True)), sum(a | b for a, b in zip(y, z, strict=True))
        shared, union = shared + at_y * at_z * both, union + at_y * at_z * either
        ratio += at_y * at_z * (both / either if either else 0.0)
    return shared, union, ratio


@pytest.mark.parametrize("seed", range(4))
def test_expected_jaccard_against_all_label_sets(seed):
    """The ratio of expectations is close to the expected ratio if labels are fairly certain."""
    p, q = drawn(3, 4, seed), drawn(2, 4, seed + 10)
    sure = [torch.where(side > 0.5, 0.9 + 0.1 * side, 0.1 * side) for side in (p, q)]
    for left, right, close in ((p, q, None), (*sure, 0.1)):
        scores = expected_jaccard(left, right)
        for i, j in itertools.product(range(3), range(2)):
            shared, union, ratio = enumerated(left[i].tolist(), right[j].tolist())
            assert scores[i, j].item() == pytest.approx(shared / union)
            assert close is None or scores[i, j].item() == pytest.approx(ratio, abs=close)


@pytest.mark.parametrize("block", [1, 3, 2**20])
def test_coefficients_of_certain_labels_equal_those_of_label_sets(monkeypatch, block):
    monkeypatch.setattr(pair_scores, "BLOCK_PRODUCTS", block)
    p = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)))
    jaccard, cosine = expected_jaccard(p, p[:5]), expected_cosine(p, p[:5])
    for (i, y), (j, z) in itertools.product(enumerate(p.tolist()), enumerate(p[:5].tolist())):
        both, either = sum(a * b for a, b in zip(y, z, strict=True)), sum(max(a, b) for a, b in zip(y, z, strict=True))
        assert jaccard[i, j].item() == pytest.approx(both / either if either else 0.0)
        lengths = math.sqrt(sum(y) * sum(z))
        assert cosine[i, j].item() == pytest.approx(both / lengths if lengths else 0.0)


@pytest.mark.parametrize("score", [expected_jaccard, expected_cosine])
def test_scores_are_from_0_to_1_symmetric_and_differentiable(score):
    p, q = drawn(5, 3, 1), drawn(4, 3, 2)
    assert ((score(p, q) >= 0) & (score(p, q) <= 1)).all()
    torch.testing.assert_close(score(p, q), score(q, p).t())
    assert torch.autograd.gradcheck(score, (p.requires_grad_(), q.requires_grad_()))
    assert score(p[:0], q).shape == (0, 4) and score(p, q[:0]).shape == (5, 0)


@pytest.mark.parametrize("factor", [1e-3, 1e-15, 1e-30])
def test_small_probabilities_keep_their_cosine(factor):
    p, q = drawn(3, 4, 1).float(), drawn(2, 4, 2).float()
    torch.testing.assert_close(expected_cosine(factor * p, q), expected_cosine(p, q))


@pytest.mark.parametrize("score", [expected_jaccard, expected_cosine])
def test_errors_name_values_that_are_not_probabilities(score):
    with pytest.raises(ValueError, match=r"'q' must be probabilities in \[0, 1\]"):
        score(torch.rand(2, 3), torch.full((2, 3), 1.5))
    with pytest.raises(ValueError, match=r"'q' must have the shape \(N, 3\) \(got \(2, 4\)\)"):
        score(torch.rand(2, 3), torch.rand(2, 4))


@pytest.mark.parametrize("score", [expected_relevance, expected_shared, expected_jaccard, expected_cosine])
def test_arrays_lists_and_whole_numbers_are_accepted(score):
    p, q = [[1, 0, 1], [0, 0, 1]], [[1, 1, 1]]
    expected = score(torch.tensor(p).float(), torch.tensor(q).float())
    for convert in (lambda x: x, torch.tensor, lambda x: torch.tensor(x).float().numpy()[::-1][::-1]):
        torch.testing.assert_close(score(convert(p), convert(q)), expected)
    with pytest.raises(ValueError, match="'p' must be an array or a list"):
        score({1, 2}, q)
