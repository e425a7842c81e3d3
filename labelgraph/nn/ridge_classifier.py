"""Linear classifiers in closed form, beside a trained network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

PENALTY = 8.0  # For each feature.


class RidgeClassifier(nn.Module):
    r"""Linear classifiers of labels by ridge regression, which are mixed into the probabilities of a network.

    With standardised features :math:`x` of the training items and their labels :math:`y_c`, the classifiers are

    .. math:: w_c = (X^T X + 8 D \, I)^{-1} X^T (y_c - \bar y_c), \qquad r_c(x) = \bar y_c + w_c \cdot x

    The penalty grows with the number of features :math:`D`, so that it does not have to be chosen again for features of
    another size. The mixed probability is :math:`(1 - s) \, p_c + s \, r_c`, with :math:`r_c` in [0, 1]. Labels without
    training items keep the probability of the network, as do all labels before the regression is fitted.

    Args:
        in_channels: Number D of features.
        num_labels: Number C of labels.
        share: Share s of the regression in the probabilities.

    Shapes:
        - **features:** :math:`(B, D)`, dense.
        - **probabilities:** of the network, :math:`(B, C)`.
        - **output:** mixed probabilities :math:`(B, C)`.

    Example:
        >>> import torch
        >>> from labelgraph.nn import RidgeClassifier
        >>> ridge = RidgeClassifier(1, 1, share=1.0)
        >>> ridge.fit([(torch.tensor([[-1.0], [1.0]]), torch.tensor([[0.0], [1.0]]))])
        >>> ridge(torch.tensor([[1.0]]), torch.tensor([[0.0]]))
        tensor([[0.6000]])
    """

    def __init__(self, in_channels: int, num_labels: int, share: float) -> None:
        super().__init__()
        self.share = share
        self.register_buffer("weight", torch.zeros(num_labels, in_channels))
        self.register_buffer("bias", torch.zeros(num_labels))
        self.register_buffer("shares", torch.zeros(num_labels))

    @torch.no_grad()
    def fit(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Fit the classifiers to batches of features (B, D) and labels (B, C); one pass reads the batches.

        The sums are in double precision: a mean square minus a squared mean loses digits.
        """
        count, sums = 0, [torch.zeros(()) for _ in range(4)]
        for features, labels in batches:
            x, y = features.double(), labels.double()
            sums = [a.to(x.device) + b for a, b in zip(sums, (x.sum(0), y.sum(0), x.t() @ x, x.t() @ y), strict=True)]
            count += len(x)
        if not count:
            return
        mean, share = sums[0] / count, sums[1] / count
        centred = sums[2] - count * torch.outer(mean, mean)
        # A feature that is nearly constant is not blown up to unit variance.
        spread = (centred.diagonal() / count).clamp(min=0)
        scale = torch.where(spread > 1e-10 * mean.square().clamp(min=1e-30), spread, torch.inf).rsqrt()
        gram = centred * torch.outer(scale, scale)
        gram.diagonal().add_(PENALTY * len(mean))
        weight = torch.linalg.solve(gram, scale.unsqueeze(1) * (sums[3] - count * torch.outer(mean, share)))
        weight = (scale.unsqueeze(1) * weight).t()
        self._set("weight", weight)
        self._set("bias", share - weight @ mean)
        self._set("shares", self.share * (share > 0))

    def forward(self, features: Tensor, probabilities: Tensor) -> Tensor:
        """Mix the regression into the probabilities of the network."""
        shares = cast(Tensor, self.shares)
        linear = nn.functional.linear(features, cast(Tensor, self.weight), cast(Tensor, self.bias))
        return (1 - shares) * probabilities + shares * linear.clamp(0, 1)

    def _set(self, name: str, value: Tensor) -> None:
        cast(Tensor, getattr(self, name)).copy_(value)
