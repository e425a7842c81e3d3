"""Synthetic labels and features, generated in blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.special import ndtri

from benchmarks.synthetic.sets import SyntheticSet

GENERAL = 4  # Number of topics besides the groups; every label depends on each of them.
GROUP_LOADING, GENERAL_LOADING = 0.85, 0.4
SAMPLE, LABEL_ROUNDS = 32_768, 12


class LabelModel:
    r"""A random model of labels: an item has a label if a normal variable exceeds the threshold of the label.

    :math:`z_c = \lambda_c \cdot u + \sqrt{1 - |\lambda_c|^2} \, \epsilon_c` with topics :math:`u`; an item has label
    :math:`c` if :math:`z_c > t_c`. Labels of a group share topics, so that they tend to occur together. An item without
    labels is drawn again; the thresholds are set so that the shares hold among items with labels.

    Args:
        shares: Share of the items that have each label, (C,); the larger their sum, the more exactly they are met.
        groups: Numbers of the labels of each group.
        seed: Random seed of the loadings.
    """

    def __init__(self, shares: np.ndarray, groups: Sequence[Sequence[int]], seed: int = 0) -> None:
        rng = np.random.default_rng([seed, 0])
        member = np.zeros((len(shares), len(groups)))
        for number, group in enumerate(groups):
            member[list(group), number] = 1
        # The weight of a label in two groups is divided between them.
        member *= GROUP_LOADING / np.sqrt(np.maximum(member.sum(1, keepdims=True), 1))
        general = rng.standard_normal((len(shares), GENERAL))
        general *= GENERAL_LOADING / np.linalg.norm(general, axis=1, keepdims=True)
        self.loadings = np.concatenate([member, general], axis=1).astype(np.float32)
        self.own = np.sqrt(1 - (self.loadings**2).sum(1))
        self.thresholds = self._calibrate(shares, rng)

    def _calibrate(self, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return thresholds for which the shares hold among items with labels; among all items, they are smaller."""
        drawn = self._variables(rng, SAMPLE)[1]
        some = 1.0
        for _ in range(LABEL_ROUNDS):
            thresholds = -ndtri(shares * some)
            some = float((drawn > thresholds).any(1).mean())
        return thresholds.astype(np.float32)

    def _variables(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        topics = rng.standard_normal((size, self.loadings.shape[1]), dtype=np.float32)
        noise = rng.standard_normal((size, len(self.loadings)), dtype=np.float32)
        return topics, topics @ self.loadings.T + self.own * noise

    def draw(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw labels (size, C), bool, at least one per row; return them with their topics."""
        labels = np.zeros((size, len(self.loadings)), dtype=bool)
        topics = np.zeros((size, self.loadings.shape[1]), dtype=np.float32)
        while len(bare := np.flatnonzero(~labels.any(1))):
            topics[bare], variables = self._variables(rng, len(bare))
            labels[bare] = variables > self.thresholds
        return labels, topics


STYLE = 16
LABEL_NOISE = 0.5  # Noise is added to the labels and not to the features, where averaging would remove it.
SHOWN = 2.0  # Largest strength of a label in an item.
WORD_BOOST = 0.8
SPREAD = 2.0  # Shape of the gamma distribution of an item's number of words.
FIT, ROUNDS = 1024, 6


class FeatureModel:
    """A random model of features that depend on the labels.

    Both sides are computed from the same hidden vector (strength of each label, topics, style), with independent noise.
    Image features are a random linear map of this vector, followed by a ReLU. Words are drawn with frequencies that
    fall as a power of their rank, and that a second random map raises or lowers.

    Args:
        spec: Description of the set.
        labels: The model of labels and topics.
        seed: Random seed of the maps.
    """

    def __init__(self, spec: SyntheticSet, labels: LabelModel, seed: int = 0) -> None:
        rng = np.random.default_rng([seed, 1])
        parts = (*labels.loadings.shape, STYLE)
        hidden = sum(parts)
        scale = np.repeat([1.0, 0.3, 0.3], parts)[:, None].astype(np.float32)
        self.to_image = scale * rng.standard_normal((hidden, spec.image_channels), dtype=np.float32)
        self.to_words = scale * rng.standard_normal((hidden, spec.text_channels), dtype=np.float32) * WORD_BOOST
        rank = rng.permutation(spec.text_channels)
        self.frequency = (-0.9 * np.log(rank + 10.0)).astype(np.float32)
        self.words = spec.words
        self._calibrate(rng, labels)

    def _calibrate(self, rng: np.random.Generator, labels: LabelModel) -> None:
        """Return the number of draws for the desired mean number of distinct words; a word may be drawn twice."""
        shares = self._shares(rng, self.hidden(rng, *labels.draw(rng, FIT)))
        wanted = self.words
        for _ in range(ROUNDS):
            self.words *= wanted / self._words(rng, shares).sum(1).mean()

    def hidden(self, rng: np.random.Generator, labels: np.ndarray, topics: np.ndarray) -> np.ndarray:
        """Return the hidden vector of each item, which both sides share."""
        shown = labels * rng.random(labels.shape, dtype=np.float32) * SHOWN
        style = rng.standard_normal((len(labels), STYLE), dtype=np.float32)
        return np.concatenate([shown, topics, style], axis=1)

    def _seen(self, rng: np.random.Generator, hidden: np.ndarray) -> np.ndarray:
        return hidden + LABEL_NOISE * rng.standard_normal(hidden.shape, dtype=np.float32)

    def image(self, rng: np.random.Generator, hidden: np.ndarray) -> np.ndarray:
        """Image features, float32."""
        values = self._seen(rng, hidden) @ self.to_image
        values += rng.standard_normal(values.shape, dtype=np.float32)
        return np.maximum(values, 0, out=values)

    def text(self, rng: np.random.Generator, hidden: np.ndarray) -> sp.csr_array:
        """Draw bags of words, 0 or 1, with at least one word per row."""
        return sp.csr_array(self._words(rng, self._shares(rng, hidden)), dtype=np.float32)

    def _shares(self, rng: np.random.Generator, hidden: np.ndarray) -> np.ndarray:
        """Return the probability of each word at each draw."""
        logits = self.frequency + self._seen(rng, hidden) @ self.to_words
        shares = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(shares / shares.sum(1, keepdims=True))

    def _words(self, rng: np.random.Generator, shares: np.ndarray) -> np.ndarray:
        number = rng.gamma(SPREAD, self.words / SPREAD, (len(shares), 1)).astype(np.float32)
        words = rng.random(shares.shape, dtype=np.float32) < -np.expm1(-shares * number)
        bare = np.flatnonzero(~words.any(1))
        words[bare, shares[bare].argmax(1)] = True
        return words


CHUNK = 512  # Number of rows that are drawn from one random state.


@dataclass(frozen=True)
class Rows:
    """Rows of a synthetic set: float32 image features, sparse bags of words, and labels 0 or 1."""

    image: np.ndarray
    text: sp.csr_array
    labels: np.ndarray


class SyntheticData:
    """A synthetic set whose rows are generated on demand.

    Every 512 rows have their own random state, from the seed and their position. The rows therefore do not depend on
    the size of a block, and a smaller set is the beginning of a larger one.

    Args:
        spec: Description of the set to imitate.
        seed: Random seed.
    """

    def __init__(self, spec: SyntheticSet, seed: int = 0) -> None:
        self.seed = seed
        self.labels = LabelModel(np.array(list(spec.labels.values())), spec.topics, seed)
        self.features = FeatureModel(spec, self.labels, seed)

    def rows(self, start: int, stop: int) -> Rows:
        """Generate the items from ``start`` to ``stop`` - 1."""
        parts = []
        for number in range(start // CHUNK, -(-stop // CHUNK)):
            first = number * CHUNK
            cut = slice(max(start - first, 0), min(stop - first, CHUNK))
            parts.append(self._chunk(number, cut))
        return Rows(
            np.concatenate([part.image for part in parts]),
            sp.csr_array(sp.vstack([part.text for part in parts])),
            np.concatenate([part.labels for part in parts]),
        )

    def _chunk(self, number: int, cut: slice) -> Rows:
        rng = np.random.default_rng([self.seed, 2, number])
        labels, topics = self.labels.draw(rng, CHUNK)
        hidden = self.features.hidden(rng, labels, topics)
        text = self.features.text(rng, hidden)
        image = self.features.image(rng, hidden)
        return Rows(image[cut], text[cut], labels[cut].astype(np.uint8))
