"""Kernel ridge regression beside a trained network."""

import copy

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import euclidean_distances

from labelgraph.nn import RidgeClassifier


@pytest.fixture
def items():
    rng = np.random.default_rng(0)
    features = rng.normal(0.5, [0.01, 1.0, 3.0, 5.0], (90, 4))
    return features, (features[:, :1] + features[:, 1:2] * [0.0, 0.1, 1.0] > [[0.5, 0.55, 1.0]]).astype(float)


def test_regression_is_that_of_scikit_learn_on_square_roots(items):
    features, labels = items
    roots = np.sign(features) * np.sqrt(np.abs(features))
    rate = 2 / euclidean_distances(roots[:60], squared=True).mean()
    expected = KernelRidge(alpha=1.0, kernel="rbf", gamma=rate).fit(roots[:60], labels[:60] - labels[:60].mean(0))
    ridge = RidgeClassifier(4, 3, share=1.0)
    x, y = torch.from_numpy(features).float(), torch.from_numpy(labels).float()
    ridge.fit(list(zip(x[:60].split(40), y[:60].split(40), strict=True)))
    predicted = (expected.predict(roots) + labels[:60].mean(0)).clip(0, 1)
    torch.testing.assert_close(ridge(x, torch.zeros(90, 3)), torch.from_numpy(predicted).float(), atol=1e-4, rtol=0)
    assert 0.1 < predicted[60:].std() < 0.5


def test_features_far_from_zero_are_told_apart():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(200, 16, generator=generator) + 1e4
    labels = (features[:, :1] > 1e4).float()
    ridge = RidgeClassifier(16, 1, share=1.0)
    ridge.fit([(features, labels)])
    exact = copy.deepcopy(ridge).double()(features.double(), torch.zeros(200, 1).double())
    torch.testing.assert_close(ridge(features, torch.zeros(200, 1)).double(), exact, atol=0.01, rtol=0)
    assert ((exact > 0.5) == labels.bool()).float().mean() > 0.95


def test_batches_that_can_be_read_once_are_refused(items):
    features, labels = (torch.from_numpy(each).float() for each in items)
    with pytest.raises(ValueError, match=r"'batches'.*90 items.*got 0"):
        RidgeClassifier(4, 3, share=1.0).fit(iter([(features, labels)]))


def test_few_landmarks_learn_from_all_items(items):
    features, labels = (torch.from_numpy(each).float() for each in items)
    exact, few = RidgeClassifier(4, 3, share=1.0), RidgeClassifier(4, 3, share=1.0, landmarks=30)
    batches = list(zip(features.split(25), labels.split(25), strict=True))
    errors = []
    for ridge in (exact, few):
        ridge.fit(batches)
        errors.append(float((ridge(features, torch.zeros(90, 3)) - labels).square().mean()))
    drawn = (few.landmarks.unsqueeze(1) == features).all(2)
    assert drawn.sum() == len(few.landmarks) == 30 and drawn.any(0).sum() == 30
    assert drawn[:, :25].any() and drawn[:, 75:].any()
    alone = RidgeClassifier(4, 3, share=1.0)
    alone.fit([(few.landmarks, labels[drawn.int().argmax(1)])])
    errors.append(float((alone(features, torch.zeros(90, 3)) - labels).square().mean()))
    assert errors[0] < errors[1] < errors[2]


def test_share_is_that_of_the_regression(items):
    features, labels = (torch.from_numpy(each).float() for each in items)
    whole, half = RidgeClassifier(4, 3, share=1.0), RidgeClassifier(4, 3, share=0.5)
    network = torch.rand(90, 3)
    assert torch.equal(half(features, network), network)  # Not fitted.
    for ridge in (whole, half):
        ridge.fit([(features, labels)])
    torch.testing.assert_close(half(features, network), (network + whole(features, network)) / 2)


def test_labels_without_items_change_nothing_and_equal_items_are_fitted(items):
    features, labels = (torch.from_numpy(each).float() for each in items)
    labels[:, 1] = 0
    ridge = RidgeClassifier(4, 3, share=0.5)
    ridge.fit([(features, labels), (features, labels)])
    network = torch.rand(90, 3)
    mixed = ridge(features, network)
    assert torch.equal(mixed[:, 1], network[:, 1]) and not torch.equal(mixed[:, 0], network[:, 0])
    assert mixed.isfinite().all()


def test_no_items_leave_the_network(items):
    features = torch.from_numpy(items[0]).float()
    ridge = RidgeClassifier(4, 3, share=0.5)
    ridge.fit([])
    assert torch.equal(ridge(features, torch.full((90, 3), 0.3)), torch.full((90, 3), 0.3))
