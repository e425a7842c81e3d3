import numpy as np
import pytest

from benchmarks.datasets.openclipart import selection
from benchmarks.datasets.openclipart.annotations import MIN_LABEL_COUNT, MIN_WORD_COUNT, Record
from benchmarks.datasets.openclipart.drawings import dequantise, quantise
from benchmarks.datasets.openclipart.selection import by_rarest_label, deduplicate, near_pairs, split


def angles(*degrees):
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_pairs_are_symmetric_and_without_the_diagonal():
    pairs = near_pairs(angles(0, 5, 40), threshold=0.98).toarray()
    assert pairs.tolist() == [[False, True, False], [True, False, False], [False, False, False]]


def test_the_richest_is_kept_then_the_first():
    features = angles(0, 1, 2, 60, 61)
    assert deduplicate(features, np.array([1, 1, 3, 2, 2])).tolist() == [2, 3]


def test_a_chain_is_thinned_not_collapsed():
    # Neighbours are 8 degrees apart (cosine 0.990), every second 16 (0.961).
    assert deduplicate(angles(0, 8, 16, 24, 32), np.ones(5)).tolist() == [0, 2, 4]


def test_nothing_near_is_left_and_nothing_far_is_lost():
    rng = np.random.default_rng(0)
    features = rng.random((300, 3))
    chosen = deduplicate(features, rng.integers(1, 4, 300), threshold=0.95)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosine = unit @ unit.T
    assert np.sort(cosine[np.ix_(chosen, chosen)], axis=1)[:, -2].max() <= 0.95
    dropped = np.setdiff1d(np.arange(300), chosen)
    assert 0 < len(dropped) < 300
    assert cosine[np.ix_(dropped, chosen)].max(axis=1).min() > 0.95


def test_quantised_features_are_within_half_a_step():
    features = np.random.default_rng(0).random((50, 7), dtype=np.float32) * np.arange(7)
    codes, scale = quantise(features.astype(np.float32))
    assert codes.dtype == np.uint8
    assert codes[:, 1:].max(axis=0).tolist() == [255] * 6
    assert np.abs(dequantise(codes, scale) - features).max(axis=0)[1:].max() <= 6 / 255 / 2 * 1.001
    assert not codes[:, 0].any()
    assert scale[0] > 0


TABLE = {"animal": ["dog", "cat"], "plant": ["rose"]}


def record(number, title, keyword):
    return Record(f"{number:03}", title, "", (keyword,), (), True)


def test_dropping_goes_on_until_nothing_is_rare():
    # Three roses lack words, which leaves 24 of 27: too few for a label, so they all go and the dogs stay.
    items = [
        *[("barking", "dog")] * 30,
        *[("thorny", "rose")] * 24,
        *[("", "rose")] * 3,
        *[("barking", "unsorted")] * 2,
    ]
    settled = selection.settle([record(number, *item) for number, item in enumerate(items)], TABLE)
    assert settled.indices.tolist() == list(range(30))
    assert list(settled.table) == ["animal"]
    assert settled.vocabulary == ["barking"]
    assert settled.labels.all()


def test_promises_hold_on_random_records():
    rng = np.random.default_rng(0)
    titles = rng.choice(["", "barking loudly", "thorny", "green leaves"], 300).tolist()
    keywords = rng.choice(["dog", "cat", "rose", "unsorted"], 300).tolist()
    records = [record(number, titles[number], keywords[number]) for number in range(300)]
    settled = selection.settle(records, TABLE)
    assert 0 < len(settled.indices) < 300
    assert settled.labels.any(axis=1).all()
    assert settled.labels.sum(axis=0, dtype=int).min() >= MIN_LABEL_COUNT
    assert settled.text.sum(axis=1).min() >= 1
    assert settled.text.sum(axis=0, dtype=int).min() >= MIN_WORD_COUNT


@pytest.fixture
def labels():
    rng = np.random.default_rng(0)
    labels = (rng.random((1000, 6)) < [0.5, 0.3, 0.2, 0.1, 0.06, 0.04]).astype(np.uint8)
    return labels[labels.any(axis=1)]


def test_parts_are_disjoint_and_cover(labels):
    parts = split(labels, validation=100, test=200)
    assert len(parts["validation"]) == 100
    assert len(parts["test"]) == 200
    everything = np.concatenate([parts[name] for name in ("train", "validation", "test")])
    assert np.array_equal(np.sort(everything), np.arange(len(labels)))
    assert np.array_equal(parts["query"], parts["test"])
    assert np.array_equal(parts["database"], np.union1d(parts["train"], parts["validation"]))
    assert all(np.array_equal(np.sort(part), part) and part.dtype == np.int32 for part in parts.values())


def test_the_rarest_label_has_its_share(labels):
    parts = split(labels, validation=100, test=200)
    rarest = labels[:, labels.sum(axis=0, dtype=int).argmin()]
    # A systematic sample is off by less than one item in the stretch that the rarest label takes.
    assert abs(rarest[parts["test"]].sum() - rarest.sum() * 200 / len(labels)) < 1
    assert abs(rarest[parts["validation"]].sum() - rarest.sum() * 100 / len(labels)) < 2


def test_same_seed_same_split_other_seed_other_split(labels):
    first, again, other = (split(labels, 100, 200, seed)["test"] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_label_missing_from_a_split_is_refused():
    labels = np.ones((100, 2), dtype=np.uint8)
    labels[1:, 1] = 0
    with pytest.raises(ValueError, match=r"lacks labels \[1\]"):
        split(labels, validation=10, test=20)


def test_order_by_rarest():
    labels = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1], [1, 1, 0]], dtype=np.uint8)
    order = by_rarest_label(labels, np.random.default_rng(3)).tolist()
    assert set(order[:2]) == {2, 3}
    assert set(order[2:4]) == {1, 4}
    assert order[4] == 0
