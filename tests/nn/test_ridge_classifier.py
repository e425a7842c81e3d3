"""Ridge regression beside a trained network."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from labelgraph.nn import RidgeClassifier


@pytest.fixture
def items():
    rng = np.random.default_rng(0)
    features = rng.normal(5.0, [0.01, 1.0, 3.0, 50.0], (90, 4))
    return features, (features[:, :1] + features[:, 1:2] * [0.0, 0.01, 1.0] > [[5.0, 5.05, 10.0]]).astype(float)


def test_regression_is_that_of_scikit_learn_on_standardised_features(items):
    features, labels = items
    expected = Ridge(8.0 * 4).fit(StandardScaler().fit_transform(features), labels)
    ridge = RidgeClassifier(4, 3, share=1.0)
    x, y = torch.from_numpy(features).float(), torch.from_numpy(labels).float()
    ridge.fit(zip(x.split(40), y.split(40), strict=True))
    predicted = expected.predict(StandardScaler().fit_transform(features)).clip(0, 1)
    torch.testing.assert_close(ridge(x, torch.zeros(90, 3)), torch.from_numpy(predicted).float(), atol=1e-4, rtol=0)
    assert 0.1 < predicted.std() < 0.5


def test_share_is_that_of_the_regression(items):
    features, labels = (torch.from_numpy(each).float() for each in items)
    whole, half = RidgeClassifier(4, 3, share=1.0), RidgeClassifier(4, 3, share=0.5)
    network = torch.rand(90, 3)
    assert torch.equal(half(features, network), network)  # Not fitted.
    for ridge in (whole, half):
        ridge.fit([(features, labels)])
    torch.testing.assert_close(half(features, network), (network + whole(features, network)) / 2)


def test_labels_without_items_and_constant_features_change_nothing(items):
    features, labels = (torch.from_numpy(each).float() for each in items)
    labels[:, 1] = 0
    wider = torch.cat([features, torch.full((90, 1), 0.1)], 1)
    ridge = RidgeClassifier(5, 3, share=0.5)
    ridge.fit([(wider, labels)])
    network = torch.rand(90, 3)
    mixed = ridge(wider, network)
    assert torch.equal(mixed[:, 1], network[:, 1]) and not torch.equal(mixed[:, 0], network[:, 0])
    assert not ridge.weight[:, 4].any() and ridge.weight[0, :4].all()
