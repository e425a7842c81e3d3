"""Metrics of ranked relevance against loops."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from labelgraph.metrics import (
    DEFINITIONS,
    GAINS,
    average_precision,
    ndcg_at,
    precision_at,
    precision_at_recall,
    r_precision,
    recall_at,
)
from tests.metrics import reference


@st.composite
def relevances(draw):
    columns = draw(st.integers(1, 12))
    row = st.lists(st.integers(0, 1), min_size=columns, max_size=columns)
    return draw(st.lists(row, min_size=1, max_size=5))


def slow_average_precision(row, k, definition):
    hits = [rank for rank, relevant in enumerate(row, 1) if relevant]
    precisions = [number / rank for number, rank in enumerate(hits, 1)]
    k = len(row) if k is None else k
    if not hits:
        return 0.0
    if definition == "first-k":
        first = precisions[: min(k, len(hits))]
        return sum(first) / len(first)
    inside = [precision for precision, rank in zip(precisions, hits, strict=True) if rank <= k]
    divisor = {"topk": len(inside), "recall-normalised": len(hits), "min(k,R)": min(k, len(hits))}[definition]
    return sum(inside) / divisor if inside else 0.0


def slow_precision_at_recall(row, level):
    """The level as hundredths, so that nothing is rounded."""
    hits = [rank for rank, relevant in enumerate(row, 1) if relevant]
    if not hits:
        return 0.0
    needed = max(1, -(-level * len(hits) // 100))
    return needed / hits[needed - 1]


quick = settings(max_examples=100, deadline=None, derandomize=True)


@quick
@given(rows=relevances(), k=st.none() | st.integers(1, 15), definition=st.sampled_from(DEFINITIONS))
def test_average_precision_against_a_loop(rows, k, definition):
    got = average_precision(torch.tensor(rows, dtype=torch.uint8), k, definition)
    assert got.dtype == torch.float64
    assert got.tolist() == pytest.approx([slow_average_precision(row, k, definition) for row in rows])


@quick
@given(rows=relevances())
def test_definitions_agree_over_the_full_ranking(rows):
    relevance = torch.tensor(rows)
    first, *others = (average_precision(relevance, None, name) for name in DEFINITIONS)
    assert all(torch.allclose(first, other) for other in others)


def test_definitions_differ_with_a_cut_off():
    ranked = torch.tensor([[0, 1, 0, 1, 1]])
    values = {name: average_precision(ranked, 2, name).item() for name in DEFINITIONS}
    assert values == {"topk": 1 / 2, "first-k": 1 / 2, "recall-normalised": 1 / 6, "min(k,R)": 1 / 4}
    assert average_precision(torch.tensor([[0, 0, 1]]), 2, "first-k").item() == pytest.approx(1 / 3)


@quick
@given(rows=relevances(), ks=st.lists(st.integers(1, 15), min_size=1, max_size=4))
def test_precision_at_against_a_loop(rows, ks):
    expected = [[sum(row[:k]) / k for k in ks] for row in rows]
    got = precision_at(torch.tensor(rows, dtype=torch.uint8), ks).tolist()
    assert got == [pytest.approx(row) for row in expected]


@quick
@given(rows=relevances(), ks=st.lists(st.integers(1, 15), min_size=1, max_size=4))
def test_recall_at_against_a_loop(rows, ks):
    expected = [[sum(row[:k]) / max(1, sum(row)) for k in ks] for row in rows]
    got = recall_at(torch.tensor(rows, dtype=torch.uint8), ks).tolist()
    assert got == [pytest.approx(row) for row in expected]


@quick
@given(rows=relevances())
def test_r_precision_against_a_loop(rows):
    expected = [sum(row[: sum(row)]) / max(1, sum(row)) for row in rows]
    assert r_precision(torch.tensor(rows, dtype=torch.uint8)).tolist() == pytest.approx(expected)


@quick
@given(rows=relevances(), levels=st.lists(st.integers(0, 100), min_size=1, max_size=5))
def test_precision_at_recall_against_a_loop(rows, levels):
    expected = [[slow_precision_at_recall(row, level) for level in levels] for row in rows]
    got = precision_at_recall(torch.tensor(rows, dtype=torch.uint8), [level / 100 for level in levels]).tolist()
    assert got == [pytest.approx(row) for row in expected]


@pytest.mark.parametrize(("percent", "total"), [(7, 100), (14, 50), (28, 25), (55, 100), (56, 125), (30, 10)])
def test_levels_that_are_not_binary_fractions_do_not_round_up(percent, total):
    """Recall 0.07 of a hundred is reached at the seventh hit, though 0.07 * 100 is a little more than 7."""
    needed = percent * total // 100
    ranked = torch.tensor([[1] * needed + [0] * total + [1] * (total - needed)])
    assert precision_at_recall(ranked, [percent / 100]).item() == 1.0
    assert precision_at_recall(ranked, [percent / 100 + 0.001]).item() < 1.0


def test_a_large_count_does_not_overflow():
    relevance = torch.ones(1, 1000, dtype=torch.uint8)
    assert precision_at(relevance, [1000]).item() == recall_at(relevance, [1000]).item() == 1.0
    assert r_precision(relevance).item() == 1.0
    assert average_precision(relevance).item() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: average_precision(r, 0), r"'k' must be at least 1 \(got 0\)"),
        (lambda r: average_precision(r, 5, "map"), r"'definition' must be one of topk, .*\(got 'map'\)"),
        (lambda r: precision_at(r, [5, 0]), r"'ks' must be at least 1 \(got 0\)"),
        (lambda r: recall_at(r, [0]), r"'ks' must be at least 1 \(got 0\)"),
        (lambda r: precision_at_recall(r, [0.5, 1.1]), r"'recall' must be in \[0, 1\]"),
        (lambda r: precision_at_recall(r, [-0.1]), r"'recall' must be in \[0, 1\]"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.ones(1, 3))


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


def test_no_relevant_item_scores_0():
    assert ndcg_at(torch.zeros(2, 3, dtype=torch.int32), [1, None]).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert ndcg_at(torch.zeros(2, 3, dtype=torch.uint8), [2], "exponential").tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize(
    ("ks", "gain", "message"),
    [([0], "linear", r"'ks' must be at least 1 \(got 0\)"), ([1], "log", r"'gain' must be one of linear, exponential")],
)
def test_wrong_arguments_of_ndcg_are_named(ks, gain, message):
    with pytest.raises(ValueError, match=message):
        ndcg_at(torch.ones(1, 2, dtype=torch.int32), ks, gain)


FUNCTIONS = {
    "average_precision": average_precision,
    "precision_at": lambda ranked: precision_at(ranked, [2]),
    "recall_at": lambda ranked: recall_at(ranked, [2]),
    "r_precision": r_precision,
    "precision_at_recall": lambda ranked: precision_at_recall(ranked, [0.5]),
    "ndcg_at": lambda ranked: ndcg_at(ranked, [2]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_zeros_and_ones_of_every_type_are_accepted(name):
    rows = [[1, 0, 1, 1], [0, 0, 0, 1]]
    wanted = FUNCTIONS[name](torch.tensor(rows))
    kinds = (torch.float32, torch.float64, torch.bfloat16, torch.bool, torch.uint8, torch.int8)
    for each in (*(torch.tensor(rows, dtype=kind) for kind in kinds), rows, np.array(rows), np.array(rows, ">f4")):
        assert torch.equal(FUNCTIONS[name](each), wanted)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("rows", [[[2, 0, 1]], [[0.5, 0.0]], [[-1, 0]], [[math.nan, 0]], [1, 0], [[]]])
def test_other_relevance_is_refused(name, rows):
    if name == "ndcg_at" and rows == [[2, 0, 1]]:
        return  # Grades.
    with pytest.raises(ValueError, match=r"'(relevance|grades)'"):
        FUNCTIONS[name](torch.tensor(rows))


@pytest.mark.parametrize("wrong", [0, 1.5, True, np.True_, "1"])
@pytest.mark.parametrize("measure", [precision_at, recall_at, ndcg_at])
def test_cut_offs_are_whole_numbers(measure, wrong):
    with pytest.raises(ValueError, match="'ks'"):
        measure(torch.tensor([[1, 0]]), [wrong])
    with pytest.raises(ValueError, match="'k'"):
        average_precision(torch.tensor([[1, 0]]), wrong)


@pytest.mark.parametrize("wrong", [["a"], [1.1], [float("nan")], 1, "1"])
def test_recall_levels_are_numbers(wrong):
    with pytest.raises(ValueError, match="'recall'"):
        precision_at_recall(torch.tensor([[1, 0]]), wrong)
