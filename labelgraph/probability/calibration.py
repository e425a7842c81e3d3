"""Calibration of label scores: lines per label, temperature scaling and Platt scaling."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CALIBRATIONS = ("none", "temperature", "platt")
WEAK = 1e-6  # Strength of a penalty that keeps undetermined parameters finite, such as slopes of separable scores.


class Calibration(nn.Module):
    r"""Calibration of label scores by one line per label, :math:`z_{bc} = a_c s_{bc} + b_c`.

    The sigmoid of :math:`z_{bc}` is the probability of label :math:`c`. Before it is fitted, a calibration returns
    the scores unchanged. Slopes and intercepts are buffers: training does not change them, and they are saved with
    the model.

    Args:
        num_labels: Number of labels :math:`C`, or 1 for one line of all labels.

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

    def fit(
        self,
        scores: Tensor,
        labels: Tensor,
        kind: str = "platt",
        shrinkage: float = 1000.0,
        weights: Tensor | None = None,
    ) -> Calibration:
        """Fit the lines on held-out items, on which the model that computes the scores was not trained.

        Args:
            scores: Label scores, shape (N, C).
            labels: Multi-hot labels, shape (N, C).
            kind: ``"temperature"``, ``"platt"``, or ``"none"``, which resets the calibration.
            shrinkage: Shrinkage of `platt_scaling`.
            weights: Number of labels for which each of the K columns stands, (K,), if scores are those of drawn labels,
                see `draw_labels`. They need a calibration with one line for all labels, ``num_labels=1``.

        Raises:
            ValueError: If the kind is unknown.
        """
        if kind not in CALIBRATIONS:
            raise ValueError(f"'kind' must be one of {', '.join(CALIBRATIONS)} (got {kind!r})")
        slope, intercept = torch.ones(()), torch.zeros(())
        if kind == "temperature":
            slope = 1 / temperature_scaling(scores, labels, weights)
        elif kind == "platt" and len(self.slope) == 1:
            slope, intercept = _shared_line(*_checked(scores, labels, weights)).float()
        elif kind == "platt":
            slope, intercept = platt_scaling(scores, labels, shrinkage)
        self.slope.copy_(slope)
        self.intercept.copy_(intercept)
        return self

    def forward(self, scores: Tensor) -> Tensor:
        """Calibrate the scores of a batch."""
        return self.slope * scores + self.intercept


def temperature_scaling(scores: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    r"""Fit the temperature :math:`T` of :math:`\sigma(s / T)` by maximum likelihood (Guo et al. 2017, section 4.2).

    Args:
        scores: Logits, shape (N, C).
        labels: Multi-hot labels, shape (N, C).
        weights: Number of labels for which each label stands, (C,); see `draw_labels`. Defaults to 1 each.

    Returns:
        Positive scalar :math:`T`.

    Raises:
        ValueError: If shapes differ, scores are not finite, or labels are not 0 or 1.

    Example:
        >>> import torch
        >>> from labelgraph.probability import temperature_scaling
        >>> temperature_scaling(torch.full((4, 1), 2.0), torch.tensor([[1.0], [1.0], [1.0], [0.0]]))  # 2 / log 3
        tensor(1.8205)
    """
    log = torch.zeros((), dtype=torch.float64)
    scores, labels, weights = _checked(scores, labels, weights)

    def loss(log: Tensor) -> Tensor:
        return _entropy(scores * log.exp(), labels, weights) + WEAK * log.square()

    return _minimise(loss, log).neg().exp().float()


def platt_scaling(scores: Tensor, labels: Tensor, shrinkage: float = 1000.0) -> tuple[Tensor, Tensor]:
    r"""Fit a line :math:`a_c s_c + b_c` for each label, whose sigmoid is the probability of the label (Platt 1999).

    The fit has two steps. First, one line :math:`u = a s + b` is fitted for all labels together, so that scores may
    have any scale; for instance, they may be cosines. Then the line of each label is fitted as
    :math:`\alpha_c u + \beta_c`, with the penalty :math:`\frac{\lambda}{2} ((\alpha_c - 1)^2 + \beta_c^2)`. The
    penalty keeps the lines of rare labels close to the shared line.

    Args:
        scores: Label scores, shape (N, C).
        labels: Multi-hot labels, shape (N, C).
        shrinkage: Strength :math:`\lambda` of the penalty; larger values make the lines more similar.

    Returns:
        Slopes and intercepts, each of shape (C,).

    Raises:
        ValueError: If shapes differ, scores are not finite, labels are not 0 or 1, or ``shrinkage`` is not positive.

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
    scores, labels, _ = _checked(scores, labels)
    shared = _shared_line(scores, labels)
    logits = shared[0] * scores + shared[1]
    start = IDENTITY.expand(2, scores.shape[1])
    lines = _minimise(lambda line: _line_loss(line, logits, labels, shrinkage), start)
    return (lines[0] * shared[0]).float(), (lines[0] * shared[1] + lines[1]).float()


IDENTITY = torch.tensor([[1.0], [0.0]], dtype=torch.float64)


def _shared_line(scores: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Fit slope and intercept of one line for all labels, (2, 1)."""
    return _minimise(lambda line: _line_loss(line, scores, labels, WEAK, weights), IDENTITY)


def _line_loss(line: Tensor, scores: Tensor, labels: Tensor, strength: float, weights: Tensor | None = None) -> Tensor:
    return _entropy(line[0] * scores + line[1], labels, weights) + strength / 2 * (line - IDENTITY).square().sum()


def _checked(scores: Tensor, labels: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
    if scores.ndim != 2 or scores.shape != labels.shape or not len(scores):
        raise ValueError(
            f"'scores' and 'labels' must have the same shape (N, C), N at least 1 "
            f"(got {tuple(scores.shape)} and {tuple(labels.shape)})"
        )
    if not scores.isfinite().all():
        raise ValueError("'scores' must be finite (got NaN or infinity)")
    if not ((labels == 0) | (labels == 1)).all():
        raise ValueError("'labels' must be 0 or 1 (got other values)")
    weights = None if weights is None else weights.detach().double().cpu()
    return scores.detach().double().cpu(), labels.detach().double().cpu(), weights


def _entropy(logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, labels, weights, reduction="sum")


@torch.enable_grad()
def _minimise(loss: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """Return the minimiser of a convex loss."""
    parameters = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [parameters], max_iter=1000, tolerance_grad=1e-6, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(parameters)
        value.backward()
        return value

    optimizer.step(closure)
    return parameters.detach()
