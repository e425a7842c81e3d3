import numpy as np
import pytest

from benchmarks.openclipart.splits import by_rarest_label, split


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
