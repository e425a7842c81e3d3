"""How far probabilities can be taken at their word."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ReliabilityCurve:
    """Probabilities in bins of equal width over [0, 1]; means are NaN where a bin is empty.

    Args:
        predicted: Mean probability in each bin, (bins,).
        observed: Share of it that came true, (bins,).
        count: How many probabilities are in it, int64, (bins,).
    """

    predicted: Tensor
    observed: Tensor
    count: Tensor


def reliability_curve(probabilities: Tensor, labels: Tensor, num_bins: int = 15) -> ReliabilityCurve:
    """Compare what was predicted with what came true, bin by bin, over all items and labels together.

    Args:
        probabilities: Shape (N, C), in [0, 1].
        labels: Multi-hot, shape (N, C).
        num_bins: How many bins.

    Raises:
        ValueError: If shapes disagree, there is none, a probability is not in [0, 1], or a label not 0 or 1.

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
        raise ValueError("'probabilities' must be in [0, 1] (got others)")
    if not probabilities.numel():
        raise ValueError("'probabilities' must have at least one entry (got none)")
    if not ((labels == 0) | (labels == 1)).all():
        raise ValueError("'labels' must be 0 or 1 (got other values)")
    predicted, came = probabilities.detach().double().flatten(), labels.double().flatten()
    place = (predicted * num_bins).long().clamp(max=num_bins - 1)
    count = place.bincount(minlength=num_bins)
    means = [place.bincount(values, minlength=num_bins) / count for values in (predicted, came)]
    return ReliabilityCurve(means[0].float(), means[1].float(), count)


def expected_calibration_error(probabilities: Tensor, labels: Tensor, num_bins: int = 15) -> float:
    r"""Mean distance of what was predicted from what came true, :math:`\sum_b \frac{n_b}{n} |p_b - o_b|`.

    (Guo et al. 2017, eq. 3, over all items and labels together.) Where most labels are rare, most probabilities are
    near 0 and weigh most.

    Args:
        probabilities: Shape (N, C), in [0, 1].
        labels: Multi-hot, shape (N, C).
        num_bins: How many bins, of equal width.

    Example:
        >>> import torch
        >>> from labelgraph.probability import expected_calibration_error
        >>> expected_calibration_error(torch.tensor([[0.25, 0.75]]), torch.tensor([[0.0, 1.0]]))
        0.25
    """
    curve = reliability_curve(probabilities, labels, num_bins)
    distance = curve.count / curve.count.sum() * (curve.predicted - curve.observed).abs()
    return distance[curve.count > 0].sum().item()
