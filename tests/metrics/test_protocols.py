"""Evaluation against fixtures, scikit-learn and loops."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from labelgraph.data import CrossModalData
from labelgraph.metrics import (
    DIRECTIONS,
    PROTOCOLS,
    average_precision,
    evaluate,
    evaluate_protocol,
    mean_average_precision,
    precision_at,
    precision_at_recall,
    ranked_relevance,
)
from labelgraph.train import peak_memory, reset_peak_memory
from tests.metrics.reference import retrieval_metrics


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


def test_labels_of_every_type(case):
    query, database, *labels = case
    expected = evaluate(*case).per_class
    for dtype in (torch.bool, torch.uint8, torch.long, torch.float64):
        got = evaluate(query, database, *(side.to(dtype) for side in labels)).per_class
        assert got == pytest.approx(expected, nan_ok=True)


def test_queries_that_all_lack_relevant_items():
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


def protocol_metrics(*arguments, **options):
    """The metrics by name, both ways."""
    return {way: report.metrics for way, report in evaluate_protocol(*arguments, **options).items()}


def encode(pairs):
    """Images and texts in one space, with noise of their own."""
    return pairs.labels + pairs.image[:, :5], pairs.labels + pairs.text[:, :5]


@pytest.mark.parametrize(("protocol", "query", "database"), [
    ("test-vs-test", "test", "test"), ("query-vs-database", "query", "database"),
])  # fmt: skip
def test_the_sides_of_a_protocol(make_data, protocol, query, database):
    data = make_data()
    queries, gallery = data.split(query), data.split(database)
    labels = (queries.labels, gallery.labels)
    reports = evaluate_protocol(encode, data, protocol, k=5, ks=[2])
    assert tuple(reports) == DIRECTIONS
    options = {"query_ids": data.splits[query], "database_ids": data.splits[database], "leave_out_own": False}
    for way, asker in zip(DIRECTIONS, (0, 1), strict=True):
        sides = encode(queries)[asker], encode(gallery)[1 - asker]
        assert reports[way] == evaluate(*sides, *labels, k=5, ks=[2], **options)
        assert ("own-rank" in reports[way].metrics) == (query == database)
    assert reports["image_to_text"] != reports["text_to_image"]


def test_blocks_of_rows_do_not_change_the_report(make_data, monkeypatch):
    data = make_data()
    whole = evaluate_protocol(encode, data, "query-vs-database")
    monkeypatch.setattr("labelgraph.metrics.protocols.ENCODED_ROWS", 7)
    assert evaluate_protocol(encode, data, "query-vs-database") == whole


def test_the_default_is_test_against_test(make_data):
    data = make_data()
    assert evaluate_protocol(encode, data) == evaluate_protocol(encode, data, "test-vs-test")


def test_an_unknown_protocol_lists_the_known_ones(make_data):
    with pytest.raises(ValueError, match=rf"'protocol' must be one of {', '.join(PROTOCOLS)} \(got 'train'\)"):
        evaluate_protocol(encode, make_data(), "train")


def test_a_missing_split_is_named(make_data):
    with pytest.raises(ValueError, match=r"must be one of the splits \[\] \(got 'query'\)"):
        evaluate_protocol(encode, make_data().split("test"), "query-vs-database")


def test_items_of_one_kind_find_each_other(make_data):
    data = make_data()
    reports = evaluate_protocol(lambda pairs: (torch.eye(5)[pairs.labels.argmax(1)],) * 2, data)
    assert reports["image_to_text"] == reports["text_to_image"]


def test_missing_sides_are_neither_queries_nor_results():
    generator = torch.Generator().manual_seed(0)
    image, text = torch.randn(12, 5, generator=generator), torch.randn(12, 5, generator=generator)
    labels = (torch.rand(12, 3, generator=generator) < 0.5).float()
    present = torch.ones(12, 2, dtype=torch.bool)
    present[[0, 3], 0], present[[1, 5, 7], 1] = False, False
    data = CrossModalData(image, text, labels, splits={"test": range(12)}, present=present)
    reports = evaluate_protocol(lambda pairs: (pairs.image, pairs.text), data)
    images, texts = present.unbind(1)
    ids = {"query_ids": images.nonzero().flatten(), "database_ids": texts.nonzero().flatten(), "leave_out_own": False}
    expected = evaluate(image[images], text[texts], labels[images], labels[texts], **ids)
    assert reports["image_to_text"] == expected
    assert reports["text_to_image"].num_queries == 9


@pytest.mark.parametrize("protocol", [*PROTOCOLS])
def test_metrics_by_name_in_both_directions(make_data, protocol):
    data = make_data()
    names = ["map", "precision@3", "ndcg@5/linear"]
    got = protocol_metrics(encode, data, protocol, names, without_relevant="skip")
    queries, gallery = (data.split(name) for name in PROTOCOLS[protocol])
    for way, asker in zip(DIRECTIONS, (0, 1), strict=True):
        sides = encode(queries)[asker], encode(gallery)[1 - asker]
        expected = retrieval_metrics(*sides, queries.labels, gallery.labels, names, without_relevant="skip")
        assert got[way] == pytest.approx(expected)
    reports = evaluate_protocol(encode, data, protocol)
    assert protocol_metrics(encode, data, protocol, ["map"])["text_to_image"]["map"] == pytest.approx(
        reports["text_to_image"].mean_average_precision
    )


def test_own_pairs_can_be_left_out(make_data):
    data = make_data()
    everything, others = (
        protocol_metrics(encode, data, metrics=["relevant"], leave_out_own=own)["image_to_text"]["relevant"]
        for own in (False, True)
    )
    assert everything - others == pytest.approx(1.0)
    apart = [
        protocol_metrics(encode, data, "query-vs-database", ["relevant"], leave_out_own=own) for own in (False, True)
    ]
    assert apart[0] == apart[1]


def test_own_pairs_are_identified_if_sides_are_missing(make_data):
    data = make_data()
    test = data.splits["test"]
    present = torch.ones(len(data), 2, dtype=torch.bool)
    present[test[0], 0] = present[test[1], 1] = False
    incomplete = CrossModalData(data.image, data.text, data.labels, splits=data.splits, present=present)
    got = protocol_metrics(encode, incomplete, metrics=["relevant"], leave_out_own=True)["image_to_text"]["relevant"]
    asked, result = [i for i in test if i != test[0]], [i for i in test if i != test[1]]
    shared = [sum(bool(data.labels[i] @ data.labels[j]) for j in result if j != i) for i in asked]
    assert got == pytest.approx(sum(shared) / len(shared))


def test_an_unknown_protocol_is_an_error(make_data):
    with pytest.raises(ValueError, match="'protocol' must be one of"):
        protocol_metrics(encode, make_data(), "train")


def test_the_embeddings_of_a_gallery_are_in_memory_once():
    size, cpu = 60_000, torch.device("cpu")
    image, text = torch.ones(2, size, 512)
    splits = {"query": [0, 1], "database": range(2, size)}
    data = CrossModalData(image, text, torch.ones(size, 1), splits=splits)
    reset_peak_memory(cpu)
    if (before := peak_memory(cpu)) is None:
        pytest.skip("the system does not tell")
    evaluate_protocol(lambda pairs: (pairs.image, pairs.text), data, "query-vs-database", ["map"], similarity="dot")
    both = 4 * 512 * 2 * size
    assert peak_memory(cpu) - before < 1.6 * both  # Blocks of rows and of their features take a fifth.
