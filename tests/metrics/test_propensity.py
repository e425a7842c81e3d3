"""Propensity-scored metrics against loops that follow the equations."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labelgraph.metrics import propensities, propensity, propensity_scored


def slow(scores, labels, weights, k):
    """PSP@k and PSnDCG@k, item by item and rank by rank."""
    sums = dict.fromkeys(("gain", "best gain", "discounted", "best discounted"), 0.0)
    for score, truth in zip(scores, labels, strict=True):
        positive = [label for label, value in enumerate(truth) if value]
        if not positive:
            continue
        ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(positive)) + 1))
        ranking = sorted(range(len(score)), key=lambda label: (-score[label], label))[:k]
        best = sorted(positive, key=lambda label: -weights[label])[:k]
        for start, chosen in (("", ranking), ("best ", best)):
            for rank, label in enumerate(chosen, 1):
                value = weights[label] * truth[label]
                sums[f"{start}gain"] += value
                sums[f"{start}discounted"] += value / math.log2(rank + 1) / ideal
    return sums["gain"] / sums["best gain"], sums["discounted"] / sums["best discounted"]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**31), st.integers(1, 9), st.integers(1, 8), st.integers(1, 10))
def test_against_a_loop(seed, size, num_labels, k):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 5, (size, num_labels)) / 4  # Ties included.
    labels = (rng.random((size, num_labels)) < 0.4).astype(int)
    labels[0, 0] = 1
    weights = rng.random(num_labels) * 0.9 + 0.1
    found = propensity_scored(scores, labels, weights, [k])
    psp, psndcg = slow(scores.tolist(), labels.tolist(), (1 / weights).tolist(), min(k, num_labels))
    assert list(found) == [f"psp@{k}", f"psndcg@{k}"]
    assert found[f"psp@{k}"] == pytest.approx(psp) and found[f"psndcg@{k}"] == pytest.approx(psndcg)


def test_propensities_follow_the_equation():
    found = propensities([0, 7, 300], 1000, a=0.6, b=2.6)
    constant = (math.log(1000) - 1) * 3.6**0.6
    assert found == pytest.approx([1 / (1 + constant * math.exp(-0.6 * math.log(n + 2.6))) for n in (0, 7, 300)])
    assert (np.diff(found) > 0).all()


def test_the_best_ranking_has_1_and_the_worst_0():
    labels = np.eye(3, 6)
    ones = propensity_scored(labels, labels, np.full(6, 0.5))
    assert set(ones) == {f"{kind}@{k}" for kind in ("psp", "psndcg") for k in (1, 3, 5)}
    assert all(value == pytest.approx(1) for value in ones.values())
    assert propensity_scored(-labels, labels, np.full(6, 0.5), [3]) == {"psp@3": 0, "psndcg@3": 0}


def test_a_rare_label_counts_more():
    labels = np.array([[1, 0], [0, 1]])
    weights = [0.8, 0.1]  # The second label is rare.
    common, rare = ([[1.0, 0.0]] * 2, [[0.0, 1.0]] * 2)
    values = [propensity_scored(scores, labels, weights, [1])["psp@1"] for scores in (common, rare)]
    assert values == pytest.approx([1.25 / 11.25, 10 / 11.25])


@pytest.mark.parametrize(
    "convert", [torch.from_numpy, sp.csr_array, sp.coo_array, lambda x: torch.from_numpy(x).to_sparse()]
)
def test_kinds_of_matrices_and_blocks_agree(convert, monkeypatch):
    rng = np.random.default_rng(0)
    scores = rng.random((50, 7)) * (rng.random((50, 7)) < 0.5)
    labels = (rng.random((50, 7)) < 0.3).astype(np.float64)
    wanted = propensity_scored(scores, labels, np.full(7, 0.5))
    monkeypatch.setattr(propensity, "BLOCK", 21)  # Blocks of 3 items.
    assert propensity_scored(convert(scores), convert(labels), np.full(7, 0.5)) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        ({"scores": np.ones((2, 2))}, r"'scores' .*\(2, 3\) .*got \(2, 2\)"),
        ({"scores": np.full((2, 3), np.nan)}, "'scores' must be finite"),
        ({"labels": np.full((2, 3), 2)}, "'labels' must be 0 or 1"),
        ({"labels": np.zeros((2, 3))}, "'labels' must have at least one"),
        ({"propensity": [0.5, 0.5]}, r"'propensity' must be 3 numbers .*\(2,\)"),
        ({"propensity": [0.5, 0, 1]}, "'propensity' .* from 0 to 1"),
        ({"propensity": [0.5, np.nan, 1]}, "'propensity'"),
        ({"ks": [0, 3]}, "'ks' must be at least 1 .*got 0"),
        ({"ks": []}, "'ks'"),
    ],
)
def test_wrong_arguments_are_refused(change, facts):
    arguments = {"scores": np.ones((2, 3)), "labels": np.eye(2, 3), "propensity": [0.5] * 3, "ks": [1]} | change
    with pytest.raises(ValueError, match=facts):
        propensity_scored(**arguments)


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        ({"num_items": 2}, "'num_items' must be at least 3 .*got 2"),
        ({"counts": [-1]}, "'counts' .* 0 to 10"),
        ({"counts": [11]}, "'counts' .* 0 to 10"),
        ({"counts": [[1]]}, r"'counts' must be a vector .*\(1, 1\)"),
        ({"a": 0}, "'a' and 'b' must be positive .*got 0"),
    ],
)
def test_wrong_counts_are_refused(change, facts):
    with pytest.raises(ValueError, match=facts):
        propensities(**({"counts": [1], "num_items": 10} | change))
