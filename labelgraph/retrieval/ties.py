"""Sums over buckets of items that tie, in expectation over their order."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


class Ties:
    """Buckets with what stands before each of them, and sums over their places.

    Behind the last bucket comes an empty one, so that what lies beyond the ranking has a bucket too.
    """

    def __init__(self, total: Tensor, relevant: Tensor) -> None:
        self.total, self.relevant = (F.pad(side.long(), (0, 1)) for side in (total, relevant))
        self.before, self.hits = (side.cumsum(1) - side for side in (self.total, self.relevant))
        self.found = self.relevant.sum(1)
        self.size = int(self.total.sum(1).max())
        ranks = torch.arange(1, self.size + 1, dtype=torch.float64, device=total.device)
        self.harmonic = torch.cat([ranks.new_zeros(1), ranks.reciprocal().cumsum(0)])

    def bucket(self, index: Tensor) -> tuple[Tensor, ...]:
        """Items, relevant items, items before and relevant items before of a bucket of each query, (b, 1) each."""
        sides = self.total, self.relevant, self.before, self.hits
        return tuple(side.gather(1, index[:, None]) for side in sides)

    def over(self, drawn: Tensor, size: Tensor, relevant: Tensor, before: Tensor, hits: Tensor) -> Tensor:
        """Expected sum of the precisions at hits among the first ``drawn`` places of a bucket."""
        slope = (relevant.double() - 1) / (size - 1).clamp(min=1)
        spread = self.harmonic[before + drawn] - self.harmonic[before]
        return relevant.double() / size.clamp(min=1) * (slope * drawn + (hits + 1 - slope * (before + 1)) * spread)

    def precisions(self, k: int, kept: Tensor | None = None) -> Tensor:
        """Expected sum of the precisions at hits among the first k items, of the buckets to keep."""
        drawn = (k - self.before).clamp(min=0).minimum(self.total)
        sums = self.over(drawn, self.total, self.relevant, self.before, self.hits)
        return (sums if kept is None else sums * kept).sum(1)

    def sums(self, gains: Tensor, prefix: Tensor, k: Tensor | int) -> Tensor:
        """Expected sum over the first k places of the gain there times a weight of the place.

        Args:
            gains: Sum of the gains of each bucket, (b, K).
            prefix: Sums of the weights of the first places, from none of them on.
            k: One cut-off, or one for each query, (b, 1).
        """
        drawn = (k - self.before).clamp(min=0).minimum(self.total)
        mean = F.pad(gains.double(), (0, 1)) / self.total.clamp(min=1)
        return (mean * (prefix[self.before + drawn] - prefix[self.before])).sum(1)


def first(condition: Tensor) -> Tensor:
    """Index of the first bucket of each query for which the condition holds, otherwise of the last."""
    return torch.cat([condition[:, :-1], torch.ones_like(condition[:, :1])], 1).int().argmax(1)


def log_choose(n: Tensor, k: Tensor) -> Tensor:
    """Logarithm of the binomial coefficient; -inf where it is 0."""
    ways = torch.lgamma(n.double() + 1) - torch.lgamma(k.double() + 1) - torch.lgamma((n - k).double() + 1)
    return torch.where((k >= 0) & (k <= n), ways, -torch.inf)
