"""Kinds of relevance, and excluded items."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from labelgraph.metrics import evaluate, mean_average_precision, ranked_relevance, ranking
from labelgraph.metrics.grades import RelevanceRows

QUERY, DATABASE = torch.tensor([[1.0], [-1.0]]), torch.tensor([[3.0], [2.0], [1.0], [2.0]])
QUERY_LABELS = torch.tensor([[1, 1, 0], [0, 0, 0]])
DATABASE_LABELS = torch.tensor([[1, 1, 1], [0, 1, 0], [0, 0, 1], [1, 1, 0]])


def ranked(*labels, **options):
    (block,) = ranked_relevance(QUERY, DATABASE, *labels, "dot", **options)
    return block


def test_shared_and_graded():
    binary, graded = ranked(QUERY_LABELS, DATABASE_LABELS), ranked(QUERY_LABELS, DATABASE_LABELS, relevance="graded")
    assert binary.tolist() == [[1, 1, 1, 0], [0, 0, 0, 0]] and binary.dtype == torch.uint8
    assert graded.tolist() == [[2, 1, 2, 0], [0, 0, 0, 0]] and graded.dtype == torch.int32


@pytest.mark.parametrize("num_labels", [1, 63, 64, 65, 200])
@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.float64])
def test_any_number_of_labels(num_labels, dtype):
    generator = torch.Generator().manual_seed(num_labels)
    asked, held = (torch.rand(n, num_labels, generator=generator) < 1.5 / num_labels for n in (7, 17_000))
    rows = RelevanceRows("shared", asked.to(dtype), held.to(dtype), None, None, (7, 17_000))
    shared, excluded = rows(slice(2, 7))
    assert torch.equal(shared, (asked[2:, None] & held).any(2)) and excluded is None


@pytest.mark.parametrize("dtype", [torch.int8, torch.long, torch.float32, torch.float64])
def test_a_given_matrix_needs_no_labels(dtype):
    grades = torch.tensor([[5, 0, 100, 1], [0, 7, 0, 1]], dtype=dtype)
    assert ranked(None, None, relevance=grades).tolist() == [[5, 0, 1, 100], [0, 7, 1, 0]]
    binary = ranked(None, None, relevance=grades > 0)
    assert binary.tolist() == [[1, 0, 1, 1], [0, 1, 1, 0]] and binary.dtype == torch.uint8


@pytest.mark.parametrize("block_size", [1, 2])
def test_a_function_receives_the_labels_of_a_block(block_size):
    seen = []

    def same_number(asked, result):
        seen.append(len(asked))
        return asked.sum(1)[:, None] == result.sum(1)

    blocks = ranked_relevance(QUERY, DATABASE, QUERY_LABELS, DATABASE_LABELS, "dot", block_size, relevance=same_number)
    assert torch.cat(list(blocks)).tolist() == [[0, 0, 1, 0], [0, 0, 0, 0]]
    assert seen == [block_size] * (2 // block_size)


def test_items_of_the_same_id_rank_last_and_are_not_relevant():
    ids = torch.tensor([7, 8]), torch.tensor([7, 9, 8, 7])
    grades = torch.tensor([[1, 2, 3, 4], [1, 2, 3, 4]])
    copy = grades.clone()
    assert ranked(None, None, relevance=grades, query_ids=ids[0], database_ids=ids[1]).tolist() == [
        [2, 3, 0, 0],
        [2, 4, 1, 0],
    ]
    assert torch.equal(grades, copy)


def test_leaving_items_out_equals_a_database_without_them():
    generator = torch.Generator().manual_seed(0)
    items = torch.randn(20, 4, generator=generator, dtype=torch.float64)
    labels = (torch.rand(20, 3, generator=generator) < 0.4).float()
    ids = torch.arange(20)
    both = mean_average_precision(items, items, labels, labels, query_ids=ids, database_ids=ids)
    alone = [
        evaluate(items[i : i + 1], items[ids != i], labels[i : i + 1], labels[ids != i]).mean_average_precision
        for i in range(20)
    ]
    assert both == pytest.approx(sum(alone) / 20)
    assert both < mean_average_precision(items, items, labels, labels)


def test_reports_count_every_grade_as_relevant():
    grades = torch.tensor([[2, 0, 1, 0], [0, 0, 3, 0]])
    labels = QUERY_LABELS[:, :2], DATABASE_LABELS[:, :2]
    names = ["map", "precision@2", "recall@2", "jaccard@2"]  # All metrics but nDCG, which depends on grades.
    graded = evaluate(QUERY, DATABASE, *labels, names, relevance=grades)
    assert graded == evaluate(QUERY, DATABASE, *labels, names, relevance=grades > 0)
    assert graded.mean_average_precision > 0
    assert mean_average_precision(QUERY, DATABASE, *labels, relevance=grades) == graded.mean_average_precision


def test_a_function_may_compute_relevance_by_numpy():
    computed = ranked(QUERY_LABELS, DATABASE_LABELS, relevance=lambda a, b: a.numpy() @ b.numpy().T)
    assert torch.equal(computed, ranked(QUERY_LABELS, DATABASE_LABELS, relevance="graded"))


def test_grades_too_large_for_the_fast_sort_are_ranked():
    grades = torch.tensor([[2**30, 1, 2**31 - 1, 0], [0, 1, 2, 3]], dtype=torch.int32)
    with ThreadPoolExecutor(1) as pool:
        got = ranking._by_score(QUERY @ DATABASE.t(), grades, pool)
    assert got.tolist() == [[2**30, 1, 0, 2**31 - 1], [2, 1, 3, 0]]


ONES = torch.ones(2, 4)


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ((None, None), {"relevance": "shared"}, r"'query_labels' must have 2 rows, as 'query' has \(got none\)"),
        ((QUERY_LABELS, None), {}, r"'database_labels' must have 4 rows, as 'database' has \(got none\)"),
        ((None, None), {"relevance": "binary"}, r"'relevance' must be one of shared, graded, .*\(got 'binary'\)"),
        ((None, None), {"relevance": ONES.t()}, r"'relevance' must give the shape \(2, 4\) \(got \(4, 2\)\)"),
        (
            (None, None),
            {"relevance": ONES / 2},
            r"'relevance' must give bool, or whole numbers from 0 to 255 \(got 0.5 to 0.5\)",
        ),
        ((None, None), {"relevance": -ONES}, r"whole numbers from 0 to 255 \(got -1.0 to -1.0\)"),
        ((None, None), {"relevance": 256 * ONES.int()}, r"whole numbers from 0 to 255 \(got 256 to 256\)"),
        ((QUERY_LABELS, DATABASE_LABELS), {"relevance": lambda a, b: a}, r"'relevance' must give the shape \(2, 4\)"),
        ((QUERY_LABELS, DATABASE_LABELS), {"relevance": lambda a, b: None}, "'relevance' must be an array"),
        ((None, None), {"relevance": ONES, "query_ids": ONES[:, 0]}, "'query_ids' and 'database_ids' must be given"),
        (
            (None, None),
            {"relevance": ONES, "query_ids": ONES[0], "database_ids": ONES[0]},
            r"'query_ids' must have the shape \(2,\) \(got \(4,\)\)",
        ),
        ((ONES[:, :0], ONES.t()[:, :0]), {}, r"'query_labels' must have at least one column \(got shape \(2, 0\)\)"),
        ((QUERY_LABELS, DATABASE_LABELS), {"block_size": -1}, r"'block_size' must be at least 1 \(got -1\)"),
    ],
)
def test_wrong_arguments_are_named(labels, options, message):
    with pytest.raises(ValueError, match=message):
        ranked(*labels, **options)
