"""The k smallest keys, gathered block by block, against a stable sort."""

import numpy as np
import pytest

from labelgraph.search.nearest import Nearest


def gather(keys, k, block):
    nearest = Nearest(len(keys), k, keys.dtype.type)
    for start in range(0, keys.shape[1], block):
        nearest.add(keys[:, start : start + block], start)
    return nearest.result()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("block", [1, 7, 64, 1000])
@pytest.mark.parametrize("k", [1, 5, 300])
@pytest.mark.parametrize("kind", ["few values", "falling", "rising", "equal"])
def test_it_is_a_stable_sort(dtype, block, k, kind):
    rng = np.random.default_rng(0)
    keys = {
        "few values": rng.integers(0, 9, (6, 300)),
        "falling": np.tile(np.arange(300)[::-1] // 2, (6, 1)),
        "rising": np.tile(np.arange(300) // 2, (6, 1)),
        "equal": np.full((6, 300), 4),
    }[kind].astype(dtype)
    best, positions = gather(keys, k, block)
    order = keys.argsort(axis=1, kind="stable")[:, :k]
    assert np.array_equal(positions, order)
    assert np.array_equal(best, np.take_along_axis(keys, order, axis=1))


@pytest.mark.parametrize("run", [1, 4, 20])
def test_runs_whose_smallest_key_is_known_give_the_same(run):
    keys = np.random.default_rng(2).integers(-3, 4, (7, 200)).astype(np.float32) * np.float32(0.5)
    nearest = Nearest(7, 9, np.float32)
    for start in range(0, 200, 20):
        block = keys[:, start : start + 20]
        nearest.add(block, start, block.reshape(7, -1, run).min(2))
    for ours, plain in zip(nearest.result(), gather(keys, 9, 20), strict=True):
        assert np.array_equal(ours, plain)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(("k", "block"), [(1, 5000), (9, 640), (10, 640), (11, 640), (70, 4500)])
@pytest.mark.parametrize("values", [2, 60])
def test_the_first_of_large_blocks(dtype, k, block, values):
    """A large first block is narrowed down before it is sorted; many keys are equal to the k-th."""
    keys = np.random.default_rng(3).integers(0, values, (3, 5000)).astype(dtype)
    best, positions = gather(keys, k, block)
    assert np.array_equal(positions, keys.argsort(axis=1, kind="stable")[:, :k])
    assert np.array_equal(best, np.take_along_axis(keys, positions, axis=1))


def test_one_query_with_all_the_candidates():
    keys = np.tile(np.arange(2_000, 0, -1, dtype=np.float32), (40, 1))
    keys[1:] = 0.0
    best, positions = gather(keys, 2, 100)
    assert positions[0].tolist() == [1999, 1998] and best[0].tolist() == [1.0, 2.0]
    assert (positions[1:] == [0, 1]).all()


def test_zero_has_no_sign():
    _, positions = gather(np.array([[0.0, -0.0, -1e-38, 0.0]], np.float32), 3, 2)
    assert positions.tolist() == [[2, 0, 1]]


def test_queries_do_not_mix():
    keys = np.random.default_rng(1).random((5, 200), np.float32)
    _, together = gather(keys, 3, 50)
    for row in range(5):
        _, alone = gather(keys[row : row + 1], 3, 50)
        assert np.array_equal(alone[0], together[row])


def test_places_that_no_item_took_say_so():
    keys, positions = gather(np.array([[2.0, 1.0]], np.float32), 3, 2)
    assert positions.tolist() == [[1, 0, -1]]
    assert keys.tolist() == [[1.0, 2.0, np.inf]]
