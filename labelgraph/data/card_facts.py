"""Statistics for data cards: features, labels and duplicates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from torch import Tensor


@dataclass(frozen=True)
class SideFacts:
    """Statistics of the features of one side, over the items that have this side.

    Args:
        channels: Number of features.
        sparse: Whether the features are a sparse matrix.
        zeros: Share of values that are 0.
        lowest: Lowest value.
        highest: Highest value.
        constant: Number of features with one value for all items.
        zero_rows: Number of items whose features are all 0.
        missing: Number of items without this side.
    """

    channels: int
    sparse: bool
    zeros: float
    lowest: float
    highest: float
    constant: int
    zero_rows: int
    missing: int


@dataclass(frozen=True)
class LabelFacts:
    """Statistics of the labels of some items.

    Args:
        items: Number of items.
        count: Number of items of each label, by name, the most frequent label first.
        never: Labels that no item has.
        an_item: Mean, median and maximum number of labels per item.
        without: Number of items without labels.
        pairs: Share of the pairs of labels that occur together.
    """

    items: int
    count: dict[str, int]
    never: tuple[str, ...]
    an_item: tuple[float, float, int]
    without: int
    pairs: float


def side_facts(matrix: Tensor | sp.csr_array, present: Tensor) -> tuple[SideFacts, np.ndarray]:
    """Statistics of one side, and a mask of the rows that are all 0 or missing."""
    has_side = present.numpy()
    lowest, highest = np.full((2, matrix.shape[1]), [[np.inf], [-np.inf]], dtype=np.float32)
    count, start = np.zeros(len(has_side), dtype=np.int64), 0
    for rows in blocks(matrix):
        here = np.flatnonzero(has_side[start : start + rows.shape[0]])
        if len(here):
            own = rows if len(here) == rows.shape[0] else rows[here]
            np.minimum(lowest, _dense(own.min(axis=0)), out=lowest)
            np.maximum(highest, _dense(own.max(axis=0)), out=highest)
            count[start + here] = _nonzero(own)
        start += rows.shape[0]
    values = int(has_side.sum()) * matrix.shape[1]
    facts = SideFacts(
        channels=matrix.shape[1],
        sparse=bool(sp.issparse(matrix)),
        zeros=1 - int(count.sum()) / values if values else 1.0,
        lowest=float(lowest.min()) if values else 0.0,
        highest=float(highest.max()) if values else 0.0,
        constant=int((lowest >= highest).sum()),
        zero_rows=int((count[has_side] == 0).sum()),
        missing=int((~has_side).sum()),
    )
    return facts, count == 0


def _dense(row: Any) -> np.ndarray:
    values: np.ndarray = row.toarray() if sp.issparse(row) else row
    return values.ravel()


def _nonzero(rows: np.ndarray | sp.csr_array) -> np.ndarray:
    """Number of values in each row that are not 0."""
    if isinstance(rows, np.ndarray):
        return np.count_nonzero(rows != 0, axis=1)  # Counting booleans is faster.
    rows = rows.copy()
    rows.eliminate_zeros()
    return np.diff(rows.indptr)


def label_facts(labels: sp.csr_array, names: Sequence[str]) -> LabelFacts:
    """Statistics of multi-hot labels, (N, C), without stored zeros."""
    count, each = np.bincount(labels.indices, minlength=len(names)), np.diff(labels.indptr)
    order = np.argsort(-count, kind="stable").tolist()
    # The product has an entry per ordered pair of labels that occur together, and one per label that occurs.
    together = ((labels.T @ labels).nnz - int((count > 0).sum())) // 2
    pairs = len(names) * (len(names) - 1) // 2
    return LabelFacts(
        items=labels.shape[0],
        count={names[i]: int(count[i]) for i in order},
        never=tuple(names[i] for i in np.flatnonzero(count == 0).tolist()),
        an_item=(float(each.mean()), float(np.median(each)), int(each.max())),
        without=int((each == 0).sum()),
        pairs=together / pairs if pairs else 0.0,
    )


BLOCK = 1024
SUM_BITS, HASH_BITS = 53, 128


def blocks(matrix: Tensor | sp.csr_array, size: int = BLOCK) -> Iterator[np.ndarray | sp.csr_array]:
    """Yield the rows of a matrix in blocks, so that a memory-mapped matrix is never in memory as a whole."""
    for start in range(0, matrix.shape[0], size):
        rows = matrix[start : start + size]
        yield rows.numpy() if isinstance(rows, Tensor) else rows


def row_hashes(matrix: Tensor | sp.csr_array) -> np.ndarray:
    """Hash each row of float32 features, (N, k) float64; equal dense and sparse rows have equal hashes.

    Multilinear hashing: each value is split into two 16-bit integers, and a hash is their sum weighted by random
    integers. The weights have few enough bits for an exact sum in float64, which multiplies fast. The number of
    hashes is chosen so that two different rows collide with a probability of at most :math:`2^{-128}`.
    """
    bits = SUM_BITS - 16 - math.ceil(math.log2(2 * matrix.shape[1]))
    size = (matrix.shape[1], 2, math.ceil(HASH_BITS / bits))
    weights = np.random.default_rng(0).integers(0, 2**bits, size).astype(np.float64)
    return np.concatenate([_weighted(rows, weights) for rows in blocks(matrix)])


def _weighted(rows: np.ndarray | sp.csr_array, weights: np.ndarray) -> np.ndarray:
    if isinstance(rows, np.ndarray):
        return np.asarray(_halves(rows).astype(np.float64) @ weights.reshape(-1, weights.shape[2]))
    rows = rows.copy()
    rows.sum_duplicates()
    halves = _halves(rows.data).reshape(-1, 2).astype(np.float64)
    parts = (sp.csr_array((halves[:, i], rows.indices, rows.indptr), shape=rows.shape) @ weights[:, i] for i in (0, 1))
    return np.asarray(sum(parts))


def _halves(values: np.ndarray) -> np.ndarray:
    return (values + np.float32(0)).view(np.uint16)  # + 0 turns -0 into 0.


def groups(hashes: np.ndarray) -> np.ndarray:
    """Number the rows of a matrix of hashes, (N,); equal rows have the same number."""
    keys = np.ascontiguousarray(hashes).view(np.dtype((np.void, hashes.itemsize * hashes.shape[1]))).ravel()
    return np.unique(keys, return_inverse=True)[1]


def copies(group: np.ndarray) -> int:
    """Number of items in the same group as an earlier item."""
    return len(group) - len(np.unique(group))
