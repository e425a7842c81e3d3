"""Reliability curves and calibration error of label probabilities."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ReliabilityCurve:
    """Predicted probabilities and observed frequencies in bins of equal width over [0, 1]; NaN in empty bins.

    Args:
        predicted: Mean predicted probability of each bin, (bins,).
        observed: Share of positive labels in each bin, (bins,).
        count: Number of probabilities in each bin, int64, (bins,).
    """

    predicted: Tensor
    observed: Tensor
    count: Tensor


def reliability_curve(probabilities: Tensor, labels: Tensor, num_bins: int = 15) -> ReliabilityCurve:
    """Compare predicted probabilities with observed frequencies in bins, over all items and labels together.

    Args:
        probabilities: Predicted label probabilities, shape (N, C), in [0, 1].
        labels: Multi-hot labels, shape (N, C).
        num_bins: Number of bins.

    Raises:
        ValueError: If shapes differ, there are no probabilities, a probability is not in [0, 1], or a label is not 0
            or 1.

    Example:
        >>> import torch
        >>> from labelgraph.probability import reliability_curve
        >>> reliability_curve(torch.tensor([[0.25, 0.125, 0.75]]), torch.tensor([[0.0, 1.0, 1.0]]), num_bins=2)
        ReliabilityCurve(predicted=tensor([0.1875, 0.7500]), observed=tensor([0.5000, 1.0000]), count=tensor([2, 1]))
    """
    if num_bins < 1:
        raise ValueError(f"'num_bins' must be at least 1 (got {num_bins})")
    if probabilities.shape != labels.shape:
        raise ValueError(f"'labels' must have the shape {tuple(probabilities.shape)} (got {tuple(labels.shape)})")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("'probabilities' must be in [0, 1] (got other values)")
    if not probabilities.numel():
        raise ValueError("'probabilities' must have at least one entry (got none)")
    if not ((labels == 0) | (labels == 1)).all():
        raise ValueError("'labels' must be 0 or 1 (got other values)")
    predicted, observed = probabilities.detach().double().flatten(), labels.double().flatten()
    bins = (predicted * num_bins).long().clamp(max=num_bins - 1)
    count = bins.bincount(minlength=num_bins)
    means = [bins.bincount(values, minlength=num_bins) / count for values in (predicted, observed)]
    return ReliabilityCurve(means[0].float(), means[1].float(), count)


def expected_calibration_error(probabilities: Tensor, labels: Tensor, num_bins: int = 15) -> float:
    r"""Compute the expected calibration error, :math:`\sum_b \frac{n_b}{n} |p_b - o_b|`.

    The error is the mean distance between the predicted probability :math:`p_b` and the observed frequency
    :math:`o_b` of the bins (Guo et al. 2017, eq. 3), over all items and labels together. If most labels are rare, the
    bins near 0 dominate the error, because they contain most probabilities.

    Args:
        probabilities: Predicted label probabilities, shape (N, C), in [0, 1].
        labels: Multi-hot labels, shape (N, C).
        num_bins: Number of bins of equal width.

    Example:
        >>> import torch
        >>> from labelgraph.probability import expected_calibration_error
        >>> expected_calibration_error(torch.tensor([[0.25, 0.75]]), torch.tensor([[0.0, 1.0]]))
        0.25
    """
    curve = reliability_curve(probabilities, labels, num_bins)
    distance = curve.count / curve.count.sum() * (curve.predicted - curve.observed).abs()
    return distance[curve.count > 0].sum().item()
