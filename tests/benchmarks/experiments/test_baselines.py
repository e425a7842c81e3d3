"""Baselines against closed forms, and where their settings come from."""

import numpy as np
import pytest
import torch

from benchmarks.experiments.baselines import FITTED, quality, run_baseline
from labelgraph.data import drop_modalities


def test_ridge_solves_the_normal_equations(make_data):
    data = make_data()
    train = data.split("train")
    side = train.image.double().numpy()
    centred = (side - side.mean(0)) / side.std(0)
    labels = train.labels.double().numpy()
    penalty = 100.0
    weights = np.linalg.solve(centred.T @ centred + penalty * np.eye(side.shape[1]), centred.T @ labels)
    _, encode = next(iter(FITTED["ridge"](train)))
    expected = centred @ weights + labels.mean(0)
    np.testing.assert_allclose(encode(train)[0].numpy(), expected, atol=1e-8)


def test_cca_finds_a_shared_direction(make_data):
    data = make_data(size=400)
    train = data.split("train")
    for _, encode in FITTED["cca"](train):
        image, text = encode(train)
        first = np.corrcoef(image[:, 0], text[:, 0])[0, 1]
        assert first > 0.9
        # Canonical directions are uncorrelated within a side.
        inner = np.corrcoef(image.numpy().T)
        np.testing.assert_allclose(inner, np.eye(len(inner)), atol=1e-6)


@pytest.mark.parametrize("name", ["ridge", "cca", "pls"])
def test_setting_is_the_best_on_validation(make_data, name):
    data = make_data(size=200)
    held_out = data.split("validation")
    values = {setting: quality(encode, held_out) for setting, encode in FITTED[name](data.split("train"))}
    (result,) = run_baseline(name, data, data, ["test-vs-test"], "validation")
    assert values[result.setting] == max(values.values())
    assert result.selected_on == "validation"
    (chance,) = run_baseline("random", data, data, ["test-vs-test"], "validation")
    assert result.average > chance.average + 0.05


def test_random_is_near_the_share_of_relevant_pairs(make_data):
    data = make_data(size=2000)
    (result,) = run_baseline("random", data, data, ["test-vs-test"], "validation")
    labels = data.split("test").labels
    share = (labels @ labels.t() > 0).double().mean().item()
    assert abs(result.average - share) < 0.03
    assert result.selected_on is None


def test_baselines_never_see_the_test_split(make_data):
    data = make_data()
    spoiled = make_data()
    spoiled.image[data.splits["test"]] = torch.randn(len(data.splits["test"]), data.image_channels)
    (_, before), (_, after) = (next(iter(FITTED["ridge"](d.split("train")))) for d in (data, spoiled))
    train = data.split("train")
    torch.testing.assert_close(before(train)[0], after(train)[0])


def test_ridge_learns_from_every_side_that_is_there_and_the_others_from_pairs(make_data):
    data = drop_modalities(make_data(size=400), 0.5)
    train = data.split("train")
    has_image = train.present[:, 0]
    encoded = next(iter(FITTED["ridge"](train)))[1](train)[0][has_image]
    alone = next(iter(FITTED["ridge"](train.select(has_image.nonzero().flatten()))))[1]
    torch.testing.assert_close(encoded, alone(train)[0][has_image])
    for name in ("cca", "pls"):
        pairs = train.select(train.present.all(1).nonzero().flatten())
        (_, left), (_, right) = (next(iter(FITTED[name](each))) for each in (train, pairs))
        torch.testing.assert_close(left(data), right(data))
