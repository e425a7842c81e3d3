"""Thumbnails as they are kept: encoded, one after the other, with offsets."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .pictures import blank_thumbnail


def take(data: np.ndarray, offsets: np.ndarray, pictures: np.ndarray) -> dict[str, np.ndarray]:
    """Copy out some thumbnails, again one after the other."""
    pieces = [data[offsets[index] : offsets[index + 1]] for index in pictures]
    return {"data": np.concatenate(pieces), "offsets": np.cumsum([0, *map(len, pieces)], dtype=np.int64)}


def drawn(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Find the pictures that are not blank, as some PNG renderings are (those of most gradients)."""
    blank = blank_thumbnail()
    everything = data.tobytes()
    shown = [everything[start:end] != blank for start, end in pairwise(offsets.tolist())]
    return np.flatnonzero(shown)
