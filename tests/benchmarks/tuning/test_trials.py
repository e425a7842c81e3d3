"""What trials are drawn from."""

import numpy as np
import pytest

from benchmarks.experiments.run_settings import resolve
from benchmarks.tuning.trials import RIDGE, draw, space
from labelgraph.methods import METHODS


def test_every_method_has_a_space_and_no_other():
    assert set(space()) == {*METHODS, RIDGE}


@pytest.mark.parametrize("method", METHODS)
def test_what_is_drawn_are_settings_of_the_method(method):
    for trial in range(5):
        resolve(method, "openclipart", [0], None, [f"{name}={value}" for name, value in draw(method, trial).items()])


def test_values_fill_their_ranges():
    penalties = np.log10([draw(RIDGE, trial)["penalty"] for trial in range(500)])
    assert 0.99 <= penalties.min() < 1.1 and 5.9 < penalties.max() <= 6.01
    assert abs(np.median(penalties) - 3.5) < 0.3  # Even on a logarithmic scale.
    drawn = [draw("expected-relevance", trial) for trial in range(200)]
    rates = [each["model.dropout"] for each in drawn]
    assert 0.2 <= min(rates) < 0.22 and 0.68 < max(rates) <= 0.7 and abs(np.mean(rates) - 0.45) < 0.03
    assert {each["model.hidden_channels"] for each in drawn} == {512, 1024, 2048}


def test_a_trial_depends_on_its_number_and_seed_alone():
    assert draw("algcn", 3) == draw("algcn", 3)
    assert len({str(draw("algcn", trial, seed)) for trial in range(4) for seed in range(4)}) == 16


def test_an_unknown_method_is_told():
    with pytest.raises(ValueError, match=r"space.yaml: expected settings to search for 'none'"):
        draw("none", 0)
