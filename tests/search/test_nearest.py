"""The k smallest, block by block, against a stable sort of everything."""

import numpy as np
import pytest

from labelgraph.search.nearest import Nearest


def gather(keys, k, block):
    nearest = Nearest(len(keys), k, keys.dtype.type)
    for start in range(0, keys.shape[1], block):
        nearest.add(keys[:, start : start + block], start)
    return nearest


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
    nearest = gather(keys, k, block)
    order = keys.argsort(axis=1, kind="stable")[:, :k]
    assert np.array_equal(nearest.positions, order)
    assert np.array_equal(nearest.keys, np.take_along_axis(keys, order, axis=1))


def test_queries_do_not_mix():
    keys = np.random.default_rng(1).random((5, 200), np.float32)
    together = gather(keys, 3, 50)
    for row in range(5):
        alone = gather(keys[row : row + 1], 3, 50)
        assert np.array_equal(alone.positions[0], together.positions[row])


def test_places_that_no_item_took_say_so():
    nearest = gather(np.array([[2.0, 1.0]], np.float32), 3, 2)
    assert nearest.positions.tolist() == [[1, 0, -1]]
    assert nearest.keys.tolist() == [[1.0, 2.0, np.inf]]
