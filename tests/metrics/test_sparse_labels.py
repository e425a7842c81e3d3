"""Metrics of sparse labels against the same labels as dense matrices."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph._core.multi_hot import DENSE_LABELS
from labelgraph.metrics import (
    class_means,
    evaluate,
    evaluate_labels,
    evaluate_protocol,
    evaluate_short_queries,
    label_query_precision,
    query_metrics,
    ranked_relevance,
)

NAMES = [
    "map", "map@5/first-k", "map@5", "precision@3", "recall@3", "r-precision", "precision@min(10,R)",
    "precision@recall0.5", "ndcg@5", "ndcg/exponential", "jaccard@1", "jaccard@7", "exact@3", "relevant",
]  # fmt: skip
SIZE = DENSE_LABELS + 300


def labelled(items, seed, many=6):
    """Dense labels; the first ``many`` of a label set that is much larger are frequent."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((items, SIZE), np.float32)
    labels[:, 100 : 100 + many] = rng.random((items, many)) < 0.3
    labels[np.arange(0, items, 3), rng.integers(SIZE, size=labels[::3].shape[0])] = 1
    labels[::11] = 0
    return torch.from_numpy(labels)


@pytest.fixture(scope="module")
def case():
    generator = torch.Generator().manual_seed(2)
    query, database = (torch.randn(n, 6, generator=generator) for n in (40, 90))
    return query, database, labelled(40, 0), labelled(90, 1)


def forms(labels):
    yield sp.csr_array(labels.numpy())
    yield sp.coo_array(labels.numpy().astype(bool))
    yield labels.to_sparse_csr()


@pytest.mark.parametrize("ties", ["database", "expected"])
@pytest.mark.parametrize("block_size", [None, 7])
def test_every_metric_is_that_of_dense_labels(case, ties, block_size):
    query, database, asked, held = case
    expected = query_metrics(query, database, asked, held, NAMES, ties=ties, block_size=block_size)
    assert 0 < expected["jaccard@7"].mean() < 1 and expected["exact@3"].any()
    for one, other in zip(forms(asked), forms(held), strict=True):
        values = query_metrics(query, database, one, other, NAMES, ties=ties, block_size=block_size)
        assert values.keys() == expected.keys()
        assert all(torch.equal(values[name], expected[name]) for name in expected)


@pytest.mark.parametrize("ties", ["database", "expected"])
def test_metrics_of_codes_are_those_of_dense_labels(case, ties):
    query, database, asked, held = case
    codes = [torch.from_numpy(np.packbits(side.numpy() > 0, axis=1)) for side in (query, database)]
    names = [*NAMES, "precision@r2", "recall@r1", "lookup@r2"]
    expected = query_metrics(*codes, asked, held, names, similarity="hamming", ties=ties)
    values = query_metrics(*codes, *(sp.csr_array(x.numpy()) for x in (asked, held)), names,
                           similarity="hamming", ties=ties)  # fmt: skip
    assert all(torch.equal(values[name], expected[name]) for name in expected)


@pytest.mark.parametrize("leave_out_own", [True, False])
def test_own_pairs_and_sparse_labels(case, leave_out_own):
    _, database, _, held = case
    ids = torch.arange(90)
    own = ["own@3", "own-rank"] * (not leave_out_own)
    options = {"query_ids": ids, "database_ids": ids, "leave_out_own": leave_out_own}
    sparse = sp.csr_array(held.numpy())
    expected = evaluate(database, database, held, held, NAMES + own, **options)
    report = evaluate(database, database, sparse, sparse, NAMES + own, **options)
    assert report.metrics == expected.metrics
    assert report.mean_average_precision == expected.mean_average_precision
    assert np.allclose(report.per_class, expected.per_class, rtol=1e-14, equal_nan=True)


def test_dense_queries_search_a_sparse_database(case):
    query, database, asked, held = case
    expected = query_metrics(query, database, asked, held, NAMES)
    values = query_metrics(query, database, asked, sp.csr_array(held.numpy()), NAMES)
    assert all(torch.equal(values[name], expected[name]) for name in expected)


@pytest.mark.parametrize("relevance", ["shared", "graded"])
def test_ranked_relevance_is_that_of_dense_labels(case, relevance):
    query, database, asked, held = case
    sparse = (sp.csr_array(labels.numpy()) for labels in (asked, held))
    expected = torch.cat([*ranked_relevance(query, database, asked, held, relevance=relevance)])
    ranked = torch.cat([*ranked_relevance(query, database, *sparse, relevance=relevance)])
    assert torch.equal(ranked, expected) and ranked.dtype == expected.dtype


def test_a_function_receives_sparse_labels(case):
    query, database, asked, held = case

    def twice(one, other):
        assert one.shape == (40, SIZE) and other.shape == (90, SIZE) and sp.issparse(one) and sp.issparse(other)
        return torch.from_numpy(2 * (one @ other.T).toarray())

    sparse = (sp.csr_array(labels.numpy()) for labels in (asked, held))
    values = query_metrics(query, database, *sparse, ["ndcg"], relevance=twice)["ndcg/linear"]
    assert torch.allclose(values, query_metrics(query, database, asked, held, ["ndcg"])["ndcg/linear"])


def test_class_means_of_sparse_labels(case):
    *_, held = case
    values = torch.rand(90, dtype=torch.float64)
    means = class_means(values, sp.csr_array(held.numpy()))
    assert torch.allclose(means, class_means(values, held), rtol=1e-14, equal_nan=True) and means.isnan().any()


def test_queries_of_many_labels(case):
    _, database, _, held = case
    queries = torch.randn(SIZE, 6)
    counts = np.arange(SIZE) % 50
    expected = label_query_precision(queries, database, held, counts)
    report = label_query_precision(queries, database, sp.csr_array(held.numpy()), counts)
    assert report.by_count == expected.by_count and report.precision == expected.precision
    assert np.array_equal(report.per_query, expected.per_query, equal_nan=True)


@pytest.fixture
def data(make_data, with_many_labels):
    data = make_data()
    return data, with_many_labels(data)


def test_protocols_of_many_labels(data):
    few, many = (evaluate_protocol(lambda part: (part.image[:, :9], part.text), each) for each in data)
    for way in few:
        assert few[way].metrics == many[way].metrics
        assert np.allclose(few[way].per_class, many[way].per_class[:5], equal_nan=True)
        assert np.isnan(many[way].per_class[5:]).all()


def test_classifiers_and_short_queries_of_many_labels(data):
    generator = torch.Generator().manual_seed(1)
    scores = torch.rand(60, 2000, generator=generator)

    def score(part):
        rows = torch.tensor([int(name) for name in part.ids])
        return scores[rows, : part.num_labels], scores[rows, : part.num_labels]

    few, many = (evaluate_labels(score, each) for each in data)
    for side in few:
        assert many[side].average_precision == few[side].average_precision
        assert many[side].labels_by_count == few[side].labels_by_count
    queries = torch.randn(2000, 12, generator=generator)
    few, many = (
        evaluate_short_queries(lambda part: (part.image, part.text), each, label_queries=queries[: each.num_labels])
        for each in data
    )
    assert (
        many["labels"].per_query[:5] == pytest.approx(few["labels"].per_query, rel=1e-14)
        and many["labels"].num_queries == 5
    )


def test_sparse_labels_are_checked(case):
    query, database, asked, held = case
    sparse = sp.csr_array(held.numpy())
    with pytest.raises(ValueError, match="'query_labels' must have 40 rows"):
        query_metrics(query, database, sparse, sparse)
    with pytest.raises(ValueError, match=f"'database_labels' must have {SIZE} columns"):
        query_metrics(query, database, sp.csr_array(asked.numpy()), sparse[:, :1200])
    with pytest.raises(ValueError, match=r"'database_labels' must be 0 or 1 \(got 2"):
        query_metrics(query, database, sp.csr_array(asked.numpy()), 2 * sparse)
    with pytest.raises(ValueError, match=r"'database_labels' must have 90 rows, as 'database' has .got none"):
        query_metrics(query, database, sp.csr_array(asked.numpy()))


def test_few_sparse_labels_are_those_of_a_dense_matrix():
    labels = torch.eye(4)
    sparse = sp.csr_array(labels.numpy())
    values = query_metrics(labels, labels, sparse, sparse, ["map", "jaccard@2"])
    assert values["map"].tolist() == [1] * 4 and values["jaccard@2"].tolist() == [0.5] * 4


def test_queries_of_more_than_255_labels_are_counted():
    labels = sp.csr_array(np.ones((2, SIZE), np.float32))
    vectors = torch.ones(2, 1)
    for ties in ("database", "expected"):
        values = query_metrics(vectors, vectors, labels, labels, ["jaccard@2", "exact@2"], ties=ties)
        assert values["jaccard@2"].tolist() == values["exact@2"].tolist() == [1, 1]


@pytest.mark.parametrize("relevance", ["shared", "graded", "matrix"])
def test_stored_zeros_and_duplicates_of_sparse_labels_do_not_count(case, relevance):
    query, database, asked, held = case
    grades = (asked @ held.t()).int() if relevance == "matrix" else relevance
    names = ["map", "jaccard@7", "exact@3"]
    expected = query_metrics(query, database, asked, held, names, relevance=grades)
    stored = []
    for labels in (asked, held):
        rows, columns = labels.nonzero(as_tuple=True)
        empty = torch.arange(len(labels))
        parts = torch.cat([rows, empty, rows]), torch.cat([columns, empty + 700, columns])
        values = torch.cat([torch.full((len(rows),), 0.5), torch.zeros(len(labels)), torch.full((len(rows),), 0.5)])
        coo = sp.coo_array((values.numpy(), tuple(part.numpy() for part in parts)), shape=labels.shape)
        order = np.argsort(coo.row, kind="stable")
        starts = np.searchsorted(coo.row[order], np.arange(len(labels) + 1))
        stored.append(sp.csr_array((coo.data[order], coo.col[order], starts), shape=labels.shape))
    values = query_metrics(query, database, *stored, names, relevance=grades)
    assert all(torch.equal(values[name], expected[name]) for name in expected)


def test_sparse_labels_of_other_values_are_refused_where_sets_are_compared(case):
    query, database, asked, held = case
    sparse = [sp.csr_array(asked.numpy()), sp.csr_array(2 * held.numpy())]
    with pytest.raises(ValueError, match=r"'database_labels' must be 0 or 1 .got 2"):
        query_metrics(query, database, *sparse, ["jaccard@7"], relevance=(asked @ held.t()).int())
