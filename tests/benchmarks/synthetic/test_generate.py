"""Synthetic labels: their shares, that they go together, and that none is lacking."""

import numpy as np
import pytest

from benchmarks.synthetic.generate import LabelModel
from benchmarks.synthetic.sets import SETS

SIZE = 20_000


@pytest.mark.parametrize("name", SETS)
def test_labels_are_as_frequent_as_stated(name):
    spec = SETS[name]
    shares = np.array(list(spec.labels.values()))
    labels, topics = LabelModel(shares, spec.topics).draw(np.random.default_rng(1), SIZE)
    assert labels.any(1).all() and len(topics) == SIZE
    # Four deviations of a share of so many items, and 2 % for the sample that thresholds were set by.
    tolerance = 4 * np.sqrt(shares * (1 - shares) / SIZE) + 0.02 * shares + 0.001
    assert (np.abs(labels.mean(0) - shares) < tolerance).all()
    assert abs(labels.sum(1).mean() - shares.sum()) < 0.02 * shares.sum()


@pytest.mark.parametrize("name", SETS)
def test_labels_of_a_group_go_together(name):
    spec = SETS[name]
    labels, _ = LabelModel(np.array(list(spec.labels.values())), spec.topics).draw(np.random.default_rng(1), SIZE)
    correlation = np.corrcoef(labels.T)
    together = np.zeros(correlation.shape, bool)
    for group in spec.topics:
        together[np.ix_(group, group)] = True
    np.fill_diagonal(together, False)
    apart = ~together & ~np.eye(len(together), dtype=bool)
    assert correlation[together].mean() > correlation[apart].mean() + 0.1
    assert correlation[apart].min() < -0.03  # Some keep apart.


def test_shares_hold_of_few_labels():
    shares = np.array([0.02, 0.2, 0.8, 0.5])
    labels, _ = LabelModel(shares, [[0, 1]], seed=3).draw(np.random.default_rng(0), SIZE)
    np.testing.assert_allclose(labels.mean(0), shares, atol=0.012)
    assert labels.any(1).all()


def test_sizes_and_sums_are_the_published_ones():
    shapes = {
        name: (spec.items, len(spec.labels), spec.text_channels, spec.image_channels) for name, spec in SETS.items()
    }
    assert shapes == {
        "mirflickr": (20_015, 24, 1386, 4096),
        "nus-wide-tc21": (195_834, 21, 1000, 4096),
        "ms-coco": (122_218, 80, 2026, 4096),
    }
    assert all(0 < share < 1 for spec in SETS.values() for share in spec.labels.values())


def test_frequencies_of_mirflickr_are_those_of_its_labels(real_data):
    import scipy.io

    labels = scipy.io.loadmat(real_data / "mirflickr25k" / "mirflickr25k-lall.mat")["LAll"]
    np.testing.assert_allclose(list(SETS["mirflickr"].labels.values()), labels.mean(0), rtol=1e-12)
    text = scipy.io.loadmat(real_data / "mirflickr25k" / "mirflickr25k-yall.mat")["YAll"]
    assert SETS["mirflickr"].words == pytest.approx(text.sum() / len(text), abs=0.01)
