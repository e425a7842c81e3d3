"""Holding out of training."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph.data import PUBLISHED_SIZES, SPLITS, CrossModalData, complete_splits, hold_out, make_splits


def make(labels, **splits):
    size = len(labels)
    splits = splits or {"train": torch.arange(size)}
    return CrossModalData(torch.rand(size, 3), torch.rand(size, 2), labels, splits=splits)


@pytest.fixture
def rare():
    """30 items, of which items 7 and 23 are the only ones of a label."""
    labels = np.zeros((30, 4))
    labels[:, 0] = 1
    labels[7, 1] = labels[23, 2] = 1
    return labels


@pytest.mark.parametrize(("share", "wanted"), [(0.1, 3), (0.5, 15), (0.9, 27), (0.001, 1)])
def test_the_share_is_held_out_and_the_rest_trained_on(rare, share, wanted):
    data = make(rare[:, :1])
    held = hold_out(data, share)
    train, validation = held.splits["train"], held.splits["validation"]
    assert len(validation) == wanted and sorted(torch.cat([train, validation]).tolist()) == list(range(30))


def test_every_label_keeps_a_training_item(rare):
    data = make(rare)
    for seed in range(20):
        held = hold_out(data, 0.9, seed)
        assert held.split("train").labels.sum(0).tolist()[1:3] == [1, 1]
        assert held.split("train").labels[:, 0].any() and 27 >= len(held.splits["validation"]) >= 26


def test_other_splits_stay_and_other_items_are_not_drawn(rare):
    data = make(rare[:, :1], train=torch.arange(29, 9, -1), test=torch.arange(10))
    held = hold_out(data, 0.25, 3)
    assert held.splits["test"].tolist() == list(range(10)) and held.splits["validation"].min() >= 10
    assert len(held.splits["validation"]) == 5
    assert held.splits["train"].tolist() == sorted(held.splits["train"].tolist(), reverse=True)


def test_the_seed_decides(rare):
    first, again, other = (hold_out(make(rare), seed=seed).splits["validation"].tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_every_item_is_drawn_as_often_as_another(rare):
    data, counts = make(rare[:, :1]), torch.zeros(30)
    for seed in range(600):
        counts[hold_out(data, 0.1, seed).splits["validation"]] += 1
    assert counts.sum() == 1800 and counts.min() > 30 and counts.max() < 95


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_a_wrong_share_is_refused(rare, share):
    with pytest.raises(ValueError, match="'share' must be between 0 and 1"):
        hold_out(make(rare), share)


def test_missing_and_present_splits_are_refused(rare):
    with pytest.raises(ValueError, match=r"a split 'train' and none called 'validation' \(got test\)"):
        hold_out(make(rare, test=[0]))
    with pytest.raises(ValueError, match=r"\(got train, validation\)"):
        hold_out(make(rare, train=[0, 1], validation=[2]))
    with pytest.raises(ValueError, match=r"'data' must have a training item .*\(got none of 3\)"):
        hold_out(make(np.eye(3)))


SMALL = {"agah": {"query": 3, "train": 8}}


def labelled(labels):
    labels = torch.as_tensor(labels).float()
    return CrossModalData(torch.ones(len(labels), 1), torch.ones(len(labels), 1), labels)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return labelled(rng.random((301, 7)) < [0.5, 0.3, 0.2, 0.1, 0.06, 0.02, 0.0])


@pytest.mark.parametrize("name", SPLITS)
def test_every_way_gives_all_parts_for_either_protocol_and_leaks_nothing(data, name):
    splits = make_splits(data, name, seed=3, **SMALL.get(name, {}))
    assert list(splits) == ["train", "validation", "test", "query", "database"]
    parts = {key: set(index.tolist()) for key, index in splits.items()}
    assert parts["test"] == parts["query"]
    assert parts["train"].isdisjoint(parts["validation"])
    assert parts["database"].isdisjoint(parts["query"])
    assert parts["train"] | parts["validation"] <= parts["database"]
    assert all(index.tolist() == sorted(index.tolist()) for index in splits.values())
    assert replace(data, splits=splits).split("train").labels.shape == (len(parts["train"]), 7)


@pytest.mark.parametrize("name", SPLITS)
def test_the_seed_decides_of_splits(data, name):
    first, same, other = (make_splits(data, name, seed, **SMALL.get(name, {})) for seed in (1, 1, 2))
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert not torch.equal(first["test"], other["test"])


@pytest.mark.parametrize(
    ("name", "sizes", "expected"),
    [
        ("dcmh", {"query": 40, "train": 100, "validation": 0.2}, {"query": 40, "train": 80, "validation": 20}),
        ("dcmh", {}, {"query": 30, "train": 135, "validation": 15, "database": 271}),
        ("dcmh", {"validation": 0}, {"query": 30, "train": 150, "database": 271}),
        ("test-vs-test", {"test": 0.5}, {"test": 150, "train": 136, "validation": 15, "database": 151}),
        ("uniform", {}, {"test": 30, "validation": 30, "train": 241}),
        ("stratified", {"test": 50}, {"test": 50, "validation": 30, "train": 221}),
        ("agah", {"query": 3, "train": 8, "validation": 6}, {"query": 24, "train": 58, "validation": 6}),
    ],
)  # fmt: skip
def test_sizes(data, name, sizes, expected):
    splits = make_splits(data, name, **sizes)
    assert {key: len(splits[key]) for key in expected} == expected
    assert ("validation" in splits) == ("validation" in expected)


def test_published_sizes_add_up_to_those_of_the_papers():
    drawn = PUBLISHED_SIZES["agah"]
    for name, labels, queries, training in (("mirflickr", 24, 2000, 5000), ("nus-wide-tc10", 10, 2000, 5000)):
        factor = labels - 1 + drawn[name]["first"]
        assert (drawn[name]["query"] * factor, drawn[name]["train"] * factor) == (queries, training)
    assert PUBLISHED_SIZES["dcmh"]["mirflickr"] == {"query": 2000, "train": 10_000}


def test_agah_gives_every_label_its_items_while_there_are_any(data):
    splits = make_splits(data, "agah", query=3, train=8, validation=0)
    labels = data.labels.bool()
    count = labels.sum(0)
    for label in range(6):
        drawn = labels[splits["query"], label].sum()
        assert drawn >= min(3 * (1 + (label == 0)), count[label] - labels[splits["train"], label].sum())
    assert len(splits["query"]) == 3 * 8 and len(splits["train"]) == 8 * 8  # Though the last label never occurs.


def test_agah_against_a_slow_drawing():
    labels = np.zeros((40, 3), dtype=bool)
    labels[:30, 0] = labels[20:36, 1] = labels[38:, 2] = True
    splits = make_splits(labelled(labels), "agah", seed=5, query=2, train=3, validation=0)
    order = np.random.default_rng(5).permutation(40).tolist()
    query, train = [], []
    for label, factor in ((0, 2), (1, 1), (2, 1)):
        free = [row for row in order if labels[row, label] and row not in query + train]
        query += free[: 2 * factor]
        train += free[2 * factor : 5 * factor]
    for part, total in ((query, 8), (train, 12)):
        part += [row for row in order if row not in query + train][: total - len(part)]
    assert splits["query"].tolist() == sorted(query) and splits["train"].tolist() == sorted(train)


def test_stratified_gives_the_rarest_label_its_share():
    labels = np.zeros((1000, 2), dtype=bool)
    labels[:, 0] = True
    labels[:50, 1] = True
    for seed in range(5):
        splits = make_splits(labelled(labels), "stratified", seed, test=0.2, validation=0.1)
        result = [labels[splits[name], 1].sum() for name in ("test", "validation", "train")]
        assert np.abs(np.array(result) - [10, 5, 35]).max() <= 1


def test_splits_that_follow_from_others_are_added():
    own = {"train": torch.arange(10, 25), "validation": torch.arange(25, 30), "test": torch.arange(5),
           "extra": torch.tensor([31])}  # fmt: skip
    splits = complete_splits(own)
    assert splits["database"].tolist() == list(range(10, 30)) and torch.equal(splits["query"], own["test"])
    assert all(torch.equal(splits[name], own[name]) for name in own)
    again = complete_splits(splits)
    assert all(torch.equal(again[name], splits[name]) for name in splits)
    assert set(complete_splits({"query": torch.arange(3)})) == {"test", "query"}


@pytest.mark.parametrize(
    ("name", "sizes", "message"),
    [
        ("thirds", {}, r"'name' must be one of the splits test-vs-test, dcmh, agah, .* \(got 'thirds'\)"),
        ("uniform", {"query": 3}, r"the sizes of the split 'uniform' must be among validation, test \(got 'query'\)"),
        ("dcmh", {"query": 301}, r"'query' must give 1 to 300 of 301 items \(got 301, which is 301\)"),
        ("dcmh", {"query": 0.001}, r"'query' must give 1 to 300 of 301 items \(got 0.001, which is 0\)"),
        ("dcmh", {"query": 200, "train": 200}, r"'query' and 'train' must leave 301 items \(got 200 and 200\)"),
        ("agah", {}, r"'query' and 'train' must leave 301 items \(got 640 and 1600, which is 80 and 200 a label\)"),
        ("uniform", {"validation": 280}, r"'validation' must leave some of 271 training items \(got 280\)"),
        ("test-vs-test", {"test": -3}, "'test' must give 1 to 300"),
    ],
)
def test_wrong_sizes_are_named(data, name, sizes, message):
    with pytest.raises(ValueError, match=message):
        make_splits(data, name, **sizes)


@pytest.mark.parametrize("name", ["stratified", "uniform", "dcmh", "test-vs-test"])
def test_splits_of_many_labels_are_those_of_few(name, make_data, with_many_labels):
    data = make_data(200, 9)
    few, many = (make_splits(each, name, seed=2) for each in (data, with_many_labels(data)))
    assert {key: rows.tolist() for key, rows in few.items()} == {key: rows.tolist() for key, rows in many.items()}


def test_of_many_labels_every_one_keeps_a_training_item(make_data, with_many_labels):
    data = make_data(60, 9)
    few, many = (
        hold_out(each.with_splits({"train": range(60)}), 0.5, seed=1).splits for each in (data, with_many_labels(data))
    )
    assert few["validation"].tolist() == many["validation"].tolist()


def test_queries_of_agah_are_drawn_for_each_of_many_labels():
    rng = np.random.default_rng(0)
    labels = sp.csr_array((np.ones(9000), (np.arange(9000), rng.permutation(9000) % 1500)), shape=(9000, 1500))
    data = CrossModalData(torch.ones(9000, 1), torch.ones(9000, 1), labels)
    splits = make_splits(data, "agah", query=1, train=2, first=1)
    assert (data.labels[splits["query"].numpy()].sum(0) == 1).all()  # Every label has six items of its own.
