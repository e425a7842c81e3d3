"""Synthetic labels and features, block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.special import ndtri

from benchmarks.synthetic.sets import SyntheticSet

GENERAL = 4  # Topics beside the groups, which every label likes or avoids.
GROUP_LOADING, GENERAL_LOADING = 0.85, 0.4
SAMPLE, LABEL_ROUNDS = 32_768, 12


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
        for _ in range(LABEL_ROUNDS):
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


STYLE = 16
LABEL_NOISE = 0.5  # In label space, so that no number of features averages it out.
SHOWN = 2.0  # A label shows with a strength from 0 to this.
WORD_BOOST = 0.8
SPREAD = 2.0  # Shape of the gamma distribution of an item's number of words.
FIT, ROUNDS = 1024, 6


class FeatureModel:
    """Features of items from their labels.

    Both sides see the same hidden vector (strength of each label, topics, style), each with its own noise. Images
    are a random linear map of it, cut at 0 as after a ReLU. Words are drawn from frequencies that fall as a power of
    their rank, raised or lowered by a random map.

    Args:
        spec: Sizes.
        labels: Where labels and topics come from.
        seed: Of the maps.
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
        """Draw so many words that, with what is drawn twice, there are as many as there should be."""
        shares = self._shares(rng, self.hidden(rng, *labels.draw(rng, FIT)))
        wanted = self.words
        for _ in range(ROUNDS):
            self.words *= wanted / self._words(rng, shares).sum(1).mean()

    def hidden(self, rng: np.random.Generator, labels: np.ndarray, topics: np.ndarray) -> np.ndarray:
        """What both sides see of each item."""
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
        """A bag of words, 0 or 1, at least one word a row."""
        return sp.csr_array(self._words(rng, self._shares(rng, hidden)), dtype=np.float32)

    def _shares(self, rng: np.random.Generator, hidden: np.ndarray) -> np.ndarray:
        """How likely each word is to be the next of an item."""
        logits = self.frequency + self._seen(rng, hidden) @ self.to_words
        shares = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(shares / shares.sum(1, keepdims=True))

    def _words(self, rng: np.random.Generator, shares: np.ndarray) -> np.ndarray:
        number = rng.gamma(SPREAD, self.words / SPREAD, (len(shares), 1)).astype(np.float32)
        found = rng.random(shares.shape, dtype=np.float32) < -np.expm1(-shares * number)
        bare = np.flatnonzero(~found.any(1))
        found[bare, shares[bare].argmax(1)] = True
        return found


CHUNK = 512  # Rows that one state of the random numbers gives.


@dataclass(frozen=True)
class Rows:
    """Some items: float32 images, a sparse bag of words, 0/1 labels."""

    image: np.ndarray
    text: sp.csr_array
    labels: np.ndarray


class SyntheticData:
    """A synthetic set, made as it is asked for.

    Random numbers are drawn anew for every 512 rows, from the seed and their place: rows do not depend on how many
    are made at once, and a set of fewer items is the beginning of one of more.

    Args:
        spec: What to imitate.
        seed: Of everything.
    """

    def __init__(self, spec: SyntheticSet, seed: int = 0) -> None:
        self.seed = seed
        self.labels = LabelModel(np.array(list(spec.labels.values())), spec.topics, seed)
        self.features = FeatureModel(spec, self.labels, seed)

    def rows(self, start: int, stop: int) -> Rows:
        """The items from ``start`` to before ``stop``."""
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
