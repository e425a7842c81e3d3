"""Expectations over the order of ties against the mean over all orders."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labelgraph.metrics import (
    DEFINITIONS,
    average_precision,
    expected_average_precision,
    expected_precision_at_recall,
    precision_at_recall,
)
from tests.metrics import reference

slow = settings(max_examples=60, deadline=None, derandomize=True)
bucket = st.lists(st.integers(0, 1), max_size=4)
rankings = st.lists(bucket, min_size=1, max_size=3).filter(lambda buckets: 1 <= sum(map(len, buckets)) <= 8)


def counts(rows):
    """Total and relevant items of several rankings of the same number of buckets."""
    total = torch.tensor([[len(bucket) for bucket in row] for row in rows])
    return total, torch.tensor([[sum(bucket) for bucket in row] for row in rows])


@slow
@given(buckets=rankings, k=st.none() | st.integers(1, 9), definition=st.sampled_from(DEFINITIONS))
def test_average_precision_is_the_mean_over_all_orders(buckets, k, definition):
    name = "map" if k is None else f"map@{k}/{definition}"
    got = expected_average_precision(*counts([buckets]), k, definition)
    assert got.dtype == torch.float64
    assert got.item() == pytest.approx(reference.expected(name, buckets), abs=1e-12)


@slow
@given(buckets=rankings, level=st.sampled_from([0.0, 0.25, 0.3, 0.5, 1.0]))
def test_precision_at_recall_is_the_mean_over_all_orders(buckets, level):
    got = expected_precision_at_recall(*counts([buckets]), [level]).item()
    assert got == pytest.approx(reference.expected(f"precision@recall{level}", buckets), abs=1e-12)


def test_queries_of_different_lengths_in_one_batch():
    """A query that leaves items out has a shorter ranking than other queries."""
    rows = [[[1, 0], [0, 1, 1], []], [[], [1, 0], [0]], [[0], [], []], [[1, 1, 1], [1], []]]
    for definition in DEFINITIONS:
        for k in (1, 2, 3, 4, 5, 6):
            got = expected_average_precision(*counts(rows), k, definition)
            assert got.tolist() == pytest.approx(
                [reference.expected(f"map@{k}/{definition}", row) for row in rows], abs=1e-12
            )
    got = expected_precision_at_recall(*counts(rows), [0.5, 1.0])
    for column, level in enumerate(("0.5", "1.0")):
        assert got[:, column].tolist() == pytest.approx(
            [reference.expected(f"precision@recall{level}", row) for row in rows], abs=1e-12
        )


@pytest.mark.parametrize("definition", DEFINITIONS)
@pytest.mark.parametrize("k", [None, 1, 10, 60])
def test_buckets_of_one_item_are_a_ranking(definition, k):
    relevance = torch.randint(0, 2, (5, 60), generator=torch.Generator().manual_seed(0))
    got = expected_average_precision(torch.ones(5, 60), relevance, k, definition)
    assert torch.allclose(got, average_precision(relevance, k, definition), atol=1e-12)
    levels = [0.0, 0.3, 1.0]
    curve = expected_precision_at_recall(torch.ones(5, 60), relevance, levels)
    assert torch.allclose(curve, precision_at_recall(relevance, levels), atol=1e-12)


@pytest.mark.parametrize(("k", "definition"), [(None, "topk"), *((500, name) for name in DEFINITIONS)])
def test_large_buckets_agree_with_a_sample_of_orders(k, definition):
    total, relevant = torch.tensor([[300, 900, 0, 800]]), torch.tensor([[200, 450, 0, 100]])
    items = torch.cat([(torch.arange(n) < r).int() for n, r in zip(total[0], relevant[0], strict=True)])
    bucket_of = torch.arange(4).repeat_interleave(total[0]).double()
    draws = torch.rand(400, 2000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    sample = average_precision(items[(bucket_of + draws).argsort(1)], k, definition)
    got = expected_average_precision(total, relevant, k, definition).item()
    assert abs(got - sample.mean()) < 4 * sample.std() / len(sample) ** 0.5
    assert sample.std() < 0.05


def test_large_buckets_of_one_kind_are_exact():
    """If all items of a bucket are relevant, or none, the order does not matter."""
    total, relevant = torch.tensor([[100_000, 50_000, 50_000]]), torch.tensor([[100_000, 0, 50_000]])
    ranked = torch.cat([torch.ones(100_000), torch.zeros(50_000), torch.ones(50_000)])[None].int()
    for definition in DEFINITIONS:
        for k in (None, 1000, 120_000, 170_000):
            got = expected_average_precision(total, relevant, k, definition).item()
            assert got == pytest.approx(average_precision(ranked, k, definition).item(), rel=1e-8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda one: expected_average_precision(one, one, 0), r"'k' must be at least 1 \(got 0\)"),
        (lambda one: expected_average_precision(one, one, 1, "map"), "'definition' must be one of topk"),
        (lambda one: expected_precision_at_recall(one, one, [2.0]), r"'recall' must be in \[0, 1\]"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.ones(1, 1))


@pytest.mark.parametrize("kind", [np.array, lambda rows: rows, torch.tensor])
def test_counts_of_every_kind_are_taken(kind):
    assert expected_average_precision(kind([[2]]), kind([[1]])).item() == 0.75
    assert expected_precision_at_recall(kind([[2]]), kind([[1]]), [1.0]).item() == 0.75


@pytest.mark.parametrize(
    ("total", "relevant", "named"),
    [
        ([[2.5]], [[1]], "total"), ([[-1]], [[0]], "total"), ([[math.nan]], [[0]], "total"), ([2], [1], "total"),
        ([[2]], [[3]], "relevant"), ([[2]], [[-1]], "relevant"), ([[2, 1]], [[1]], "relevant"),
    ],
)  # fmt: skip
def test_what_is_no_count_is_refused(total, relevant, named):
    for measure in (expected_average_precision, lambda *counts: expected_precision_at_recall(*counts, [0.5])):
        with pytest.raises(ValueError, match=f"'{named}' must"):
            measure(torch.tensor(total), torch.tensor(relevant))
