"""Intervals of differences, against a closed form."""

import math

import pytest
import torch

from benchmarks.tuning.tuning_report import bootstrap_difference


def test_the_interval_is_that_of_the_normal_distribution_for_many_queries():
    generator = torch.Generator().manual_seed(0)
    shared = 5 * torch.randn(2000, generator=generator)  # Queries differ far more than methods: only pairs tell.
    left, right = shared + 0.05 + 0.5 * torch.randn(2000, generator=generator), shared
    mean, low, high = bootstrap_difference(left, right)
    difference = (left - right).double()
    error = difference.std().item() / math.sqrt(2000)
    assert mean == pytest.approx(difference.mean().item())
    assert low == pytest.approx(mean - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(mean + 1.96 * error, abs=0.1 * error)


def test_the_other_way_round_is_the_opposite():
    left, right = torch.rand(50, generator=torch.Generator().manual_seed(1)), torch.full((50,), 0.5)
    mean, low, high = bootstrap_difference(left, right)
    assert bootstrap_difference(right, left) == pytest.approx((-mean, -high, -low), abs=0.005)
    assert bootstrap_difference(left, right) == (mean, low, high)
