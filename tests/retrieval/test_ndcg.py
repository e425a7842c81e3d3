"""Graded relevance against a loop and scikit-learn."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from labelgraph.retrieval import GAINS, ndcg_at
from tests.retrieval import reference

rows = st.integers(1, 10).flatmap(
    lambda size: st.lists(st.lists(st.integers(0, 6), min_size=size, max_size=size), min_size=1, max_size=4)
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(grades=rows, ks=st.lists(st.none() | st.integers(1, 12), min_size=1, max_size=3), gain=st.sampled_from([*GAINS]))
def test_against_a_loop(grades, ks, gain):
    got = ndcg_at(torch.tensor(grades, dtype=torch.int32), ks, gain)
    assert got.dtype == torch.float64
    for row, values in zip(grades, got.tolist(), strict=True):
        assert values == pytest.approx([reference.ndcg(row, k or len(row), gain) for k in ks])


@pytest.mark.parametrize("k", [1, 5, 30, 40])
def test_against_scikit_learn(k):
    random = np.random.default_rng(0)
    grades = random.integers(0, 5, (8, 30))
    falling = -np.arange(30)[None].repeat(8, 0)
    for gain, gained in (("linear", grades), ("exponential", 2.0**grades - 1)):
        expected = ndcg_score(gained, falling, k=k, ignore_ties=True)
        assert ndcg_at(torch.from_numpy(grades), [k], gain).mean().item() == pytest.approx(expected)


def test_no_relevant_item_scores_nothing():
    assert ndcg_at(torch.zeros(2, 3, dtype=torch.int32), [1, None]).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert ndcg_at(torch.zeros(2, 3, dtype=torch.uint8), [2], "exponential").tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize(
    ("ks", "gain", "message"),
    [([0], "linear", r"'ks' must be at least 1 \(got 0\)"), ([1], "log", r"'gain' must be one of linear, exponential")],
)
def test_wrong_arguments_are_named(ks, gain, message):
    with pytest.raises(ValueError, match=message):
        ndcg_at(torch.ones(1, 2, dtype=torch.int32), ks, gain)
