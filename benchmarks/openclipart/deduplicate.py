"""One picture of each group of near-duplicates."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array, csr_array

THRESHOLD = 0.98
ROWS = 1024


def near_pairs(features: np.ndarray, threshold: float = THRESHOLD) -> csr_array:
    """Mark, (N, N) sparse and symmetric, two different pictures whose cosine is above the threshold."""
    # In float64, so that nobody who recomputes a cosine finds it on the other side of the threshold.
    unit = features.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    rows, columns = [], []
    for start in range(0, len(unit), ROWS):
        near = np.argwhere(unit[start : start + ROWS] @ unit.T > threshold)
        rows.append(near[:, 0] + start)
        columns.append(near[:, 1])
    row, column = np.concatenate(rows), np.concatenate(columns)
    row, column = row[row != column], column[row != column]
    return coo_array((np.ones(len(row), dtype=bool), (row, column)), shape=(len(unit), len(unit))).tocsr()


def deduplicate(features: np.ndarray, richness: np.ndarray, threshold: float = THRESHOLD) -> np.ndarray:
    """Keep, going from rich to poor and in order, those near to none kept before; return sorted indices.

    Greedy rather than one of each connected component: a series drawn step by step (the generated stars)
    hangs together in one chain whose ends look nothing alike, and would be thinned to a single picture.
    """
    pairs = near_pairs(features, threshold)
    free = np.ones(len(features), dtype=bool)
    kept = []
    for index in np.argsort(-richness, kind="stable"):
        if free[index]:
            kept.append(index)
            free[pairs.indices[pairs.indptr[index] : pairs.indptr[index + 1]]] = False
    return np.sort(np.array(kept, dtype=np.int64))
