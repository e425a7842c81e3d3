"""Any rows of a synthetic set, the same whichever others are asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from benchmarks.synthetic.features import FeatureModel
from benchmarks.synthetic.labels import LabelModel
from benchmarks.synthetic.sets import SyntheticSet

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
