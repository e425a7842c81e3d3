"""Features that show labels, topics and a style that image and text share, in noise."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from benchmarks.synthetic.labels import LabelModel
from benchmarks.synthetic.sets import SyntheticSet

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
