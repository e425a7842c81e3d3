"""Evaluation against fixtures, scikit-learn and loops."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from labelgraph.retrieval import (
    average_precision,
    evaluate,
    mean_average_precision,
    precision_at,
    precision_at_recall,
    ranked_relevance,
)


@pytest.fixture(scope="module")
def figures(fixtures):
    with np.load(fixtures / "metrics.npz", allow_pickle=False) as file:
        return {key: torch.from_numpy(np.asarray(file[key])) for key in file.files}


@pytest.fixture
def case():
    """Thirty queries, of which two have no label, against fifty items; a label that no query has."""
    generator = torch.Generator().manual_seed(0)
    query, database = (torch.randn(n, 8, generator=generator) for n in (30, 50))
    query_labels, database_labels = ((torch.rand(n, 4, generator=generator) < 0.25).float() for n in (30, 50))
    query_labels[:, 2] = 0
    query_labels[:, 0] += query_labels.sum(1) == 0
    query_labels[[3, 9]] = 0
    return query, database, query_labels, database_labels


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("block_size", [None, 1, 7, 60])
def test_cosine_figures(figures, dtype, block_size):
    left, right = (figures[key].to(dtype) for key in ("embedding_a", "embedding_b"))
    report = evaluate(left, right, figures["labels"], figures["labels"], block_size=block_size)
    assert report.mean_average_precision == pytest.approx(figures["map_all_cosine"].item(), rel=1e-6)
    assert report.per_class == pytest.approx(figures["map_per_class"].tolist(), rel=1e-6)


@pytest.mark.parametrize(
    ("key", "k", "definition"),
    [
        ("top_map_at_5", 5, "topk"),
        ("top_map_at_10", 10, "topk"),
        ("top_map_at_50", 50, "topk"),
        ("map_first_5_hits", 5, "first-k"),
        ("map_first_all_hits", None, "first-k"),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int8])
def test_hashing_figures(figures, key, k, definition, dtype):
    codes = (figures[name].to(dtype) for name in ("query_codes", "database_codes"))
    labels = (figures["query_labels"], figures["database_labels"])
    options = {"similarity": "dot", "k": k, "definition": definition}
    assert evaluate(*codes, *labels, **options).mean_average_precision == pytest.approx(figures[key].item(), rel=1e-6)


def test_queries_without_relevant_items_are_counted(figures):
    names = ("query_codes", "database_codes", "query_labels", "database_labels")
    report = evaluate(*(figures[name] for name in names), similarity="dot")
    shared = figures["query_labels"] @ figures["database_labels"].t()
    assert report.num_queries == 20
    assert report.num_without_relevant == sum(1 for row in shared.tolist() if not any(row)) > 0


def test_against_scikit_learn(case):
    query, database, query_labels, database_labels = case
    scores = torch.nn.functional.normalize(query.double()) @ torch.nn.functional.normalize(database.double()).t()
    relevant = query_labels @ database_labels.t() > 0
    precisions = [
        average_precision_score(row, score) if row.any() else 0.0 for row, score in zip(relevant, scores, strict=True)
    ]
    report = evaluate(*case)
    assert report.mean_average_precision == pytest.approx(np.mean(precisions))
    assert report.num_without_relevant == 2
    for label in (0, 1, 3):
        chosen = [ap for ap, row in zip(precisions, query_labels, strict=True) if row[label]]
        assert report.per_class[label] == pytest.approx(np.mean(chosen))
    assert math.isnan(report.per_class[2])


@pytest.mark.parametrize(("k", "definition"), [(None, "topk"), (7, "topk"), (7, "min(k,R)"), (3, "first-k")])
def test_the_report_is_the_mean_of_the_metrics(case, k, definition):
    relevance = torch.cat(list(ranked_relevance(*case)))
    report = evaluate(*case, k=k, definition=definition, ks=[1, 20, 80], recall=[0.0, 0.3, 1.0], block_size=4)
    expected = average_precision(relevance, k, definition).mean().item()
    assert report.mean_average_precision == pytest.approx(expected)
    assert mean_average_precision(*case, k=k, definition=definition, block_size=4) == pytest.approx(expected)
    assert report.precision == pytest.approx(precision_at(relevance, [1, 20, 80]).mean(0).tolist())
    curve = precision_at_recall(relevance, [0.0, 0.3, 1.0]).mean(0).tolist()
    assert report.precision_at_recall == pytest.approx(curve)
    assert (report.ks, report.recall, report.num_queries) == ([1, 20, 80], [0.0, 0.3, 1.0], 30)


def test_block_size_does_not_matter(case):
    reports = [evaluate(*case, block_size=size) for size in (1, 2, 13, 30, 100, None)]
    for report in reports[1:]:
        assert report.mean_average_precision == pytest.approx(reports[0].mean_average_precision, rel=1e-12)
        assert report.precision_at_recall == pytest.approx(reports[0].precision_at_recall, rel=1e-12)
        assert report.num_without_relevant == reports[0].num_without_relevant == 2


def test_labels_of_every_kind(case):
    query, database, *labels = case
    expected = evaluate(*case).per_class
    for dtype in (torch.bool, torch.uint8, torch.long, torch.float64):
        got = evaluate(query, database, *(side.to(dtype) for side in labels)).per_class
        assert got == pytest.approx(expected, nan_ok=True)


def test_no_query_has_a_relevant_item():
    report = evaluate(torch.eye(2), torch.eye(2), torch.eye(2), torch.zeros(2, 2))
    assert report.mean_average_precision == 0 and report.num_without_relevant == 2
    assert set(report.precision + report.precision_at_recall) == {0.0}


def test_one_query_and_one_item():
    one = torch.ones(1, 1)
    report = evaluate(one, one, one, one)
    assert report.mean_average_precision == 1 and report.per_class == [1.0]
    assert report.precision == [1 / k for k in report.ks] and set(report.precision_at_recall) == {1.0}


def test_wrong_arguments_reach_the_user():
    eye = torch.eye(2)
    with pytest.raises(ValueError, match="'query' must be finite"):
        evaluate(eye / 0, eye, eye, eye)
    with pytest.raises(ValueError, match="'definition' must be one of"):
        mean_average_precision(eye, eye, eye, eye, definition="map")
