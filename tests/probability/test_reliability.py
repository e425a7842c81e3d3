"""Reliability curves and calibration error against loops over bins."""

import math

import pytest
import torch

from labelgraph.probability import expected_calibration_error, reliability_curve


def drawn(size=200, seed=0):
    generator = torch.Generator().manual_seed(seed)
    probabilities = torch.rand(size, 3, generator=generator) ** 3
    return probabilities, (torch.rand(size, 3, generator=generator) < probabilities).float()


def by_loop(probabilities, labels, bins):
    members = [[] for _ in range(bins)]
    for p, y in zip(probabilities.flatten().tolist(), labels.flatten().tolist(), strict=True):
        members[min(int(p * bins), bins - 1)].append((p, y))
    return [
        [sum(each) / len(member) for each in zip(*member, strict=True)] if member else None for member in members
    ], [len(member) for member in members]


@pytest.mark.parametrize("bins", [1, 4, 15])
def test_the_curve_equals_a_loop(bins):
    probabilities, labels = drawn()
    probabilities[0, 0] = 1.0  # Belongs to the last bin.
    means, counts = by_loop(probabilities, labels, bins)
    curve = reliability_curve(probabilities, labels, bins)
    assert curve.count.tolist() == counts
    error = 0.0
    for place, mean in enumerate(means):
        if mean is None:
            assert math.isnan(curve.predicted[place]) and math.isnan(curve.observed[place])
        else:
            assert [curve.predicted[place].item(), curve.observed[place].item()] == pytest.approx(mean, abs=1e-5)
            error += counts[place] * abs(mean[0] - mean[1]) / labels.numel()
    assert expected_calibration_error(probabilities, labels, bins) == pytest.approx(error, abs=1e-6)


def test_calibrated_probabilities_have_a_small_error():
    probabilities, labels = drawn(50_000)
    assert expected_calibration_error(probabilities, labels) < 0.01
    assert expected_calibration_error(probabilities.sqrt(), labels) > 0.1


@pytest.mark.parametrize(
    ("probabilities", "labels", "bins", "message"),
    [
        (torch.zeros(2, 3), torch.zeros(2, 2), 5, r"'labels' must have the shape \(2, 3\) \(got \(2, 2\)\)"),
        (torch.full((1, 1), 1.1), torch.zeros(1, 1), 5, r"'probabilities' must be in \[0, 1\]"),
        (torch.zeros(1, 1), torch.zeros(1, 1), 0, "'num_bins' must be at least 1"),
    ],
)
def test_errors_name_wrong_arguments(probabilities, labels, bins, message):
    with pytest.raises(ValueError, match=message):
        reliability_curve(probabilities, labels, bins)


@pytest.mark.parametrize("function", [reliability_curve, expected_calibration_error])
def test_errors_name_invalid_labels_and_empty_probabilities(function):
    with pytest.raises(ValueError, match=r"'labels' must be 0 or 1"):
        function(torch.tensor([[0.5]]), torch.tensor([[0.5]]))
    with pytest.raises(ValueError, match=r"'probabilities' must have at least one entry"):
        function(torch.empty(0, 2), torch.empty(0, 2))
