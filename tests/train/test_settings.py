"""The settings of a training."""

import pytest

from labelgraph.train import TrainConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, r"'epochs' must be at least 1 \(got 0\)"),
        ({"batch_size": 0}, r"'batch_size' must be at least 1 \(got 0\)"),
        ({"checkpoint_every": -1}, r"'checkpoint_every' must be at least 1 \(got -1\)"),
        ({"lr": 0.0}, r"'lr' must be positive \(got 0.0\)"),
        ({"patience": -1}, r"'patience' must be at least 0 \(got -1\)"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**settings)


def test_the_defaults_are_honest_and_published():
    config = TrainConfig()
    assert (config.select, config.betas, config.lr) == ("validation", (0.5, 0.999), 5e-5)
