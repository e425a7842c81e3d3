import numpy as np

from benchmarks.openclipart.deduplicate import deduplicate, near_pairs
from benchmarks.openclipart.quantise import dequantise, quantise


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
    kept = deduplicate(features, rng.integers(1, 4, 300), threshold=0.95)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosine = unit @ unit.T
    assert np.sort(cosine[np.ix_(kept, kept)], axis=1)[:, -2].max() <= 0.95
    dropped = np.setdiff1d(np.arange(300), kept)
    assert 0 < len(dropped) < 300
    assert cosine[np.ix_(dropped, kept)].max(axis=1).min() > 0.95


def test_quantised_features_are_within_half_a_step():
    features = np.random.default_rng(0).random((50, 7), dtype=np.float32) * np.arange(7)
    codes, scale = quantise(features.astype(np.float32))
    assert codes.dtype == np.uint8
    assert codes[:, 1:].max(axis=0).tolist() == [255] * 6
    assert np.abs(dequantise(codes, scale) - features).max(axis=0)[1:].max() <= 6 / 255 / 2 * 1.001
    assert not codes[:, 0].any()
    assert scale[0] > 0
