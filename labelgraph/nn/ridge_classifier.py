"""Kernel ridge regression of labels in closed form, beside a trained network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LANDMARKS = 2000
WIDTH = 2.0  # Exponent of the kernel of two items with the mean squared distance.
PENALTY = 1.0
JITTER = 1e-8  # Equal landmarks make the matrix singular.


class RidgeClassifier(nn.Module):
    r"""Kernel ridge regression of labels, which is mixed into the probabilities of a network.

    The kernel compares the square roots of the features, as the Hellinger distance of histograms does (a negative
    feature keeps its sign). With landmarks :math:`z`, training items :math:`x` and their labels :math:`y_c`:

    .. math::
        k(x, z) = \exp(-2 \, |\sqrt{x} - \sqrt{z}|^2 / \bar d), \qquad
        w_c = (K_{zx} K_{xz} + K_{zz})^{-1} K_{zx} (y_c - \bar y_c), \qquad r_c(x) = \bar y_c + w_c \cdot k(x, z)

    where :math:`\bar d` is the mean squared distance of the landmarks. The landmarks are the training items, or 2,000
    of them drawn at random, as in the Nyström method (Williams and Seeger, NIPS 2000). The mixed probability is
    :math:`(1 - s) \, p_c + s \, r_c`, with :math:`r_c` in [0, 1]. Labels without training items keep the probability
    of the network, as do all labels before the regression is fitted.

    Args:
        in_channels: Number D of features.
        num_labels: Number C of labels.
        share: Share s of the regression in the probabilities.
        landmarks: Largest number M of landmarks.

    Shapes:
        - **features:** :math:`(B, D)`, dense.
        - **probabilities:** of the network, :math:`(B, C)`.
        - **output:** mixed probabilities :math:`(B, C)`.

    Example:
        >>> import torch
        >>> from labelgraph.nn import RidgeClassifier
        >>> ridge = RidgeClassifier(1, 1, share=1.0)
        >>> ridge.fit([(torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [1.0]]))])
        >>> ridge(torch.tensor([[0.0], [1.0]]), torch.zeros(2, 1))
        tensor([[0.2523],
                [0.7477]])
    """

    def __init__(self, in_channels: int, num_labels: int, share: float, landmarks: int = LANDMARKS) -> None:
        super().__init__()
        self.share = share
        self.register_buffer("landmarks", torch.zeros(landmarks, in_channels))
        self.register_buffer("centre", torch.zeros(in_channels))
        self.register_buffer("rate", torch.zeros(()))
        self.register_buffer("weight", torch.zeros(num_labels, landmarks))
        self.register_buffer("bias", torch.zeros(num_labels))
        self.register_buffer("shares", torch.zeros(num_labels))

    @torch.no_grad()
    def fit(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Fit the classifiers to batches of features (B, D) and labels (B, C), which are read twice.

        The sums are in double precision, because the matrix may be nearly singular.
        """
        count, landmarks = self._draw(batches)
        if not count:
            return
        sums, again = [torch.zeros(()) for _ in range(4)], 0
        for features, labels in batches:
            again += len(features)
            k, y = self._kernel(features.double(), landmarks), labels.double()
            sums = [a.to(k.device) + b for a, b in zip(sums, (k.sum(0), y.sum(0), k.t() @ k, k.t() @ y), strict=True)]
        if again != count:
            raise ValueError(f"'batches' must give the same {count} items each time (got {again} the second time)")
        share = sums[1] / count
        gram = sums[2] + PENALTY * self._kernel(landmarks, landmarks)
        gram.diagonal().add_(JITTER * count)
        self._set("weight", torch.linalg.solve(gram, sums[3] - torch.outer(sums[0], share)).t())
        self._set("bias", share)
        self._set("shares", self.share * (share > 0))

    def forward(self, features: Tensor, probabilities: Tensor) -> Tensor:
        """Mix the regression into the probabilities of the network."""
        shares, kernel = cast(Tensor, self.shares), self._kernel(features, cast(Tensor, self.landmarks))
        fitted = F.linear(kernel, cast(Tensor, self.weight), cast(Tensor, self.bias))
        return (1 - shares) * probabilities + shares * fitted.clamp(0, 1)

    def _draw(self, batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[int, Tensor]:
        """Draw the landmarks and set the rate of the kernel; return the number of items and the landmarks."""
        generator, count = torch.Generator().manual_seed(0), 0
        rows, keys = torch.empty(0), torch.empty(0)
        for features, _ in batches:
            count += len(features)
            rows = torch.cat([rows.to(features), features])
            # The items with the highest of all random keys are a random sample, however many items follow.
            keys = torch.cat([keys, torch.rand(len(features), generator=generator)])
            kept = keys.topk(min(len(keys), len(cast(Tensor, self.landmarks)))).indices
            rows, keys = rows[kept.to(rows.device)], keys[kept]
        rows = rows.double()
        if count:
            roots = _roots(rows)
            distance = 2 * (roots.square().sum(1).mean() - roots.mean(0).square().sum())  # The mean over all pairs.
            self._set("rate", WIDTH / distance.clamp(min=1e-30))
            self._set("centre", roots.mean(0))
            self._set("landmarks", rows)
        return count, rows

    def _kernel(self, features: Tensor, landmarks: Tensor) -> Tensor:
        """Compare features (B, D) with landmarks (M, D), shape (B, M)."""
        centre = cast(Tensor, self.centre).to(features)  # The distances of numbers far from 0 would be rounded to 0.
        distances = torch.cdist(_roots(features) - centre, _roots(landmarks) - centre)
        return (-cast(Tensor, self.rate) * distances.square()).exp()

    def _set(self, name: str, value: Tensor) -> None:
        """Copy values into a buffer; landmarks beyond the values are 0."""
        buffer = cast(Tensor, getattr(self, name))
        buffer.zero_()[tuple(slice(size) for size in value.shape)] = value.to(buffer)


def _roots(features: Tensor) -> Tensor:
    """Compute the square roots, with the signs of the features."""
    return features.abs().sqrt().copysign(features)
