"""Evaluation protocols."""

import pytest
import torch

from labelgraph.data import CrossModalData
from labelgraph.retrieval import (
    DIRECTIONS,
    PROTOCOLS,
    evaluate,
    evaluate_protocol,
    protocol_metrics,
    retrieval_metrics,
)


def encode(pairs):
    """Images and texts in one space, with noise of their own."""
    return pairs.labels + pairs.image[:, :5], pairs.labels + pairs.text[:, :5]


@pytest.mark.parametrize(("protocol", "query", "database"), [
    ("test-vs-test", "test", "test"), ("query-vs-database", "query", "database"),
])  # fmt: skip
def test_which_side_searches_which(make_data, protocol, query, database):
    data = make_data()
    queries, gallery = data.split(query), data.split(database)
    labels = (queries.labels, gallery.labels)
    reports = evaluate_protocol(encode, data, protocol, k=5, ks=[2])
    assert tuple(reports) == DIRECTIONS
    assert reports["image_to_text"] == evaluate(encode(queries)[0], encode(gallery)[1], *labels, k=5, ks=[2])
    assert reports["text_to_image"] == evaluate(encode(queries)[1], encode(gallery)[0], *labels, k=5, ks=[2])
    assert reports["image_to_text"] != reports["text_to_image"]


def test_blocks_of_rows_give_the_same(make_data, monkeypatch):
    data = make_data()
    whole = evaluate_protocol(encode, data, "query-vs-database")
    monkeypatch.setattr("labelgraph.retrieval.protocols.ENCODED_ROWS", 7)
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


def test_missing_sides_neither_query_nor_are_found():
    generator = torch.Generator().manual_seed(0)
    image, text = torch.randn(12, 5, generator=generator), torch.randn(12, 5, generator=generator)
    labels = (torch.rand(12, 3, generator=generator) < 0.5).float()
    present = torch.ones(12, 2, dtype=torch.bool)
    present[[0, 3], 0], present[[1, 5, 7], 1] = False, False
    data = CrossModalData(image, text, labels, splits={"test": range(12)}, present=present)
    reports = evaluate_protocol(lambda pairs: (pairs.image, pairs.text), data)
    images, texts = present.unbind(1)
    expected = evaluate(image[images], text[texts], labels[images], labels[texts])
    assert reports["image_to_text"] == expected
    assert reports["text_to_image"].num_queries == 9


@pytest.mark.parametrize("protocol", [*PROTOCOLS])
def test_metrics_by_name_both_ways(make_data, protocol):
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


def test_a_query_need_not_search_its_own_pair(make_data):
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


def test_own_pairs_are_told_apart_where_sides_are_missing(make_data):
    data = make_data()
    test = data.splits["test"]
    present = torch.ones(len(data), 2, dtype=torch.bool)
    present[test[0], 0] = present[test[1], 1] = False
    incomplete = CrossModalData(data.image, data.text, data.labels, splits=data.splits, present=present)
    got = protocol_metrics(encode, incomplete, metrics=["relevant"], leave_out_own=True)["image_to_text"]["relevant"]
    asked, found = [i for i in test if i != test[0]], [i for i in test if i != test[1]]
    shared = [sum(bool(data.labels[i] @ data.labels[j]) for j in found if j != i) for i in asked]
    assert got == pytest.approx(sum(shared) / len(shared))


def test_an_unknown_protocol_has_no_metrics(make_data):
    with pytest.raises(ValueError, match="'protocol' must be one of"):
        protocol_metrics(encode, make_data(), "train")
