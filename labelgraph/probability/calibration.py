"""Label scores to probabilities that can be taken at their word."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CALIBRATIONS = ("none", "temperature", "platt")
WEAK = 1e-6  # Holds what the data leave open, such as the slope of scores that separate all labels.


class Calibration(nn.Module):
    r"""A line for each label, :math:`z_{bc} = a_c s_{bc} + b_c`, whose sigmoid is the probability of the label.

    It does nothing until it is fitted. What it learns are buffers: training leaves them alone, and they are saved
    with the model.

    Args:
        num_labels: :math:`C`.

    Shapes:
        - **input:** scores :math:`(B, C)`.
        - **output:** logits :math:`(B, C)`.

    Example:
        >>> import torch
        >>> from labelgraph.probability import Calibration
        >>> scores, labels = torch.tensor([[-9.0], [-9.0], [9.0], [9.0]]), torch.tensor([[0.0], [1.0], [1.0], [1.0]])
        >>> Calibration(1).fit(scores, labels, "temperature")(scores).sigmoid().round(decimals=2).flatten()
        tensor([0.2500, 0.2500, 0.7500, 0.7500])
    """

    slope: Tensor
    intercept: Tensor

    def __init__(self, num_labels: int) -> None:
        super().__init__()
        self.register_buffer("slope", torch.ones(num_labels))
        self.register_buffer("intercept", torch.zeros(num_labels))

    def fit(self, scores: Tensor, labels: Tensor, kind: str = "platt", shrinkage: float = 1000.0) -> Calibration:
        """Fit the lines on items that the scores were not trained on.

        Args:
            scores: Shape (N, C).
            labels: Multi-hot, shape (N, C).
            kind: ``"temperature"``, ``"platt"``, or ``"none"``, which forgets what was fitted.
            shrinkage: Of `platt_scaling`.

        Raises:
            ValueError: If there is no such kind.
        """
        if kind not in CALIBRATIONS:
            raise ValueError(f"'kind' must be one of {', '.join(CALIBRATIONS)} (got {kind!r})")
        slope, intercept = torch.ones(()), torch.zeros(())
        if kind == "temperature":
            slope = 1 / temperature_scaling(scores, labels)
        elif kind == "platt":
            slope, intercept = platt_scaling(scores, labels, shrinkage)
        self.slope.copy_(slope)
        self.intercept.copy_(intercept)
        return self

    def forward(self, scores: Tensor) -> Tensor:
        """Calibrate a batch."""
        return self.slope * scores + self.intercept


def temperature_scaling(scores: Tensor, labels: Tensor) -> Tensor:
    r"""The temperature :math:`T` by which :math:`\sigma(s / T)` is most likely (Guo et al. 2017, section 4.2).

    Args:
        scores: Logits, shape (N, C).
        labels: Multi-hot, shape (N, C).

    Returns:
        A positive scalar.

    Raises:
        ValueError: If shapes disagree, scores are not finite, or labels not 0 or 1.

    Example:
        >>> import torch
        >>> from labelgraph.probability import temperature_scaling
        >>> temperature_scaling(torch.full((4, 1), 2.0), torch.tensor([[1.0], [1.0], [1.0], [0.0]]))  # 2 / log 3
        tensor(1.8205)
    """
    log = torch.zeros((), dtype=torch.float64)
    scores, labels = _checked(scores, labels)
    return _least(lambda log: _entropy(scores * log.exp(), labels) + WEAK * log.square(), log).neg().exp().float()


def platt_scaling(scores: Tensor, labels: Tensor, shrinkage: float = 1000.0) -> tuple[Tensor, Tensor]:
    r"""A line for each label, by which :math:`\sigma(a_c s_c + b_c)` is most likely (Platt 1999).

    First comes one line :math:`u = a s + b` for all labels; it serves scores on any scale, cosines too. Then each
    label corrects it to :math:`\alpha_c u + \beta_c`, held to it by the penalty :math:`\frac{\lambda}{2}
    ((\alpha_c - 1)^2 + \beta_c^2)`, since some labels have few items: one with none has the line of all.

    Args:
        scores: Shape (N, C).
        labels: Multi-hot, shape (N, C).
        shrinkage: :math:`\lambda`; the larger, the more alike are the lines.

    Returns:
        Slopes and intercepts, both of the shape (C,).

    Raises:
        ValueError: If shapes disagree, scores are not finite, or labels not 0 or 1.

    Example:
        >>> import torch
        >>> from labelgraph.probability import platt_scaling
        >>> cosines, labels = torch.tensor([[0.1], [0.1], [0.7], [0.7]]), torch.tensor([[0.0], [0.0], [1.0], [0.0]])
        >>> slope, intercept = platt_scaling(cosines.repeat(100, 1), labels.repeat(100, 1))
        >>> (slope * cosines + intercept).sigmoid().round(decimals=3).flatten()
        tensor([0.0000, 0.0000, 0.5000, 0.5000])
    """
    if not shrinkage > 0:
        raise ValueError(f"'shrinkage' must be positive (got {shrinkage})")
    scores, labels = _checked(scores, labels)
    same = torch.tensor([[1.0], [0.0]], dtype=torch.float64)

    def loss(line: Tensor, x: Tensor, strength: float) -> Tensor:
        return _entropy(line[0] * x + line[1], labels) + strength / 2 * (line - same).square().sum()

    shared = _least(lambda line: loss(line, scores, WEAK), same)
    every = shared[0] * scores + shared[1]
    own = _least(lambda line: loss(line, every, shrinkage), same.expand(2, scores.shape[1]))
    return (own[0] * shared[0]).float(), (own[0] * shared[1] + own[1]).float()


def _checked(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    if scores.ndim != 2 or scores.shape != labels.shape or not len(scores):
        raise ValueError(
            f"'scores' and 'labels' must have one shape (N, C), N at least 1 "
            f"(got {tuple(scores.shape)} and {tuple(labels.shape)})"
        )
    if not scores.isfinite().all():
        raise ValueError("'scores' must be finite (got NaN or infinity)")
    if not ((labels == 0) | (labels == 1)).all():
        raise ValueError("'labels' must be 0 or 1 (got other values)")
    return scores.detach().double().cpu(), labels.detach().double().cpu()


def _entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, labels, reduction="sum")


@torch.enable_grad()
def _least(loss: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """Where a convex loss is least."""
    at = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [at], max_iter=1000, tolerance_grad=1e-6, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(at)
        value.backward()
        return value

    optimizer.step(closure)
    return at.detach()
