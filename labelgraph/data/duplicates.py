"""Items with the very same features, found by hashes of rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from torch import Tensor

BLOCK = 1024


def blocks(matrix: Tensor | sp.csr_array, size: int = BLOCK) -> Iterator[np.ndarray | sp.csr_array]:
    """Rows of a matrix, some at a time, so that a memory-mapped one is never in memory as a whole."""
    for start in range(0, matrix.shape[0], size):
        rows = matrix[start : start + size]
        yield rows.numpy() if isinstance(rows, Tensor) else rows


def row_hashes(matrix: Tensor | sp.csr_array) -> np.ndarray:
    """Hash each row of float32 features, (N, 2) uint64; dense and sparse rows of the same values hash alike.

    Multilinear hashing: the 32 bits of each value times a random odd number for its column, summed modulo
    :math:`2^{64}`, twice. Two given rows that differ hash alike with a chance of at most :math:`2^{-64}`.
    """
    weights = np.random.default_rng(0).integers(0, 2**64, (matrix.shape[1], 2), dtype=np.uint64) | np.uint64(1)
    return np.concatenate([_bits(rows) @ weights for rows in blocks(matrix)])


def _bits(rows: np.ndarray | sp.csr_array) -> np.ndarray | sp.csr_array:
    """The bits of each value as a whole number, 0 for 0."""
    if isinstance(rows, np.ndarray):
        return (rows + np.float32(0)).view(np.uint32).astype(np.uint64)  # + 0 turns -0 into 0.
    rows = rows.copy()
    rows.sum_duplicates()
    values = (rows.data + np.float32(0)).view(np.uint32).astype(np.uint64)
    return sp.csr_array((values, rows.indices, rows.indptr), shape=rows.shape)


def groups(hashes: np.ndarray) -> np.ndarray:
    """Number the rows of a matrix of hashes so that equal ones have the same number, (N,)."""
    keys = np.ascontiguousarray(hashes).view(np.dtype((np.void, hashes.itemsize * hashes.shape[1]))).ravel()
    return np.unique(keys, return_inverse=True)[1]


def copies(group: np.ndarray) -> int:
    """How many items have the group of an earlier one."""
    return len(group) - len(np.unique(group))
