"""Labels with given frequencies that occur together: a Gaussian copula with topics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

GENERAL = 4  # Topics beside the groups, which every label likes or avoids.
GROUP_LOADING, GENERAL_LOADING = 0.85, 0.4
SAMPLE, ROUNDS = 32_768, 12


class LabelModel:
    r"""A label is on where a normal variable exceeds a threshold; the variables of a group share topics.

    :math:`z_c = \lambda_c \cdot u + \sqrt{1 - |\lambda_c|^2} \, \epsilon_c` with topics :math:`u`, and label
    :math:`c` is on where :math:`z_c > t_c`. An item without labels is drawn again; thresholds are such that the given
    shares hold among those that have labels.

    Args:
        shares: Of the items that have each label, (C,); the farther their sum is above 1, the better they are met.
        groups: Numbers of the labels of each group.
        seed: Of the loadings.
    """

    def __init__(self, shares: np.ndarray, groups: Sequence[Sequence[int]], seed: int = 0) -> None:
        rng = np.random.default_rng([seed, 0])
        member = np.zeros((len(shares), len(groups)))
        for number, group in enumerate(groups):
            member[list(group), number] = 1
        # A label of two groups is half in each.
        member *= GROUP_LOADING / np.sqrt(np.maximum(member.sum(1, keepdims=True), 1))
        general = rng.standard_normal((len(shares), GENERAL))
        general *= GENERAL_LOADING / np.linalg.norm(general, axis=1, keepdims=True)
        self.loadings = np.concatenate([member, general], axis=1).astype(np.float32)
        self.own = np.sqrt(1 - (self.loadings**2).sum(1))
        self.thresholds = self._calibrate(shares, rng)

    def _calibrate(self, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Thresholds for which the shares hold among items with labels: the shares of all items are smaller."""
        drawn = self._variables(rng, SAMPLE)[1]
        some = 1.0
        for _ in range(ROUNDS):
            thresholds = -ndtri(shares * some)
            some = float((drawn > thresholds).any(1).mean())
        return thresholds.astype(np.float32)

    def _variables(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        topics = rng.standard_normal((size, self.loadings.shape[1]), dtype=np.float32)
        noise = rng.standard_normal((size, len(self.loadings)), dtype=np.float32)
        return topics, topics @ self.loadings.T + self.own * noise

    def draw(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Labels (size, C), bool, at least one a row, and the topics that they came from."""
        labels = np.zeros((size, len(self.loadings)), dtype=bool)
        topics = np.zeros((size, self.loadings.shape[1]), dtype=np.float32)
        while len(bare := np.flatnonzero(~labels.any(1))):
            topics[bare], variables = self._variables(rng, len(bare))
            labels[bare] = variables > self.thresholds
        return labels, topics
