"""Items with the very same features, found by hashes of rows."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from torch import Tensor

BLOCK = 1024
SUM_BITS, HASH_BITS = 53, 128


def blocks(matrix: Tensor | sp.csr_array, size: int = BLOCK) -> Iterator[np.ndarray | sp.csr_array]:
    """Rows of a matrix, some at a time, so that a memory-mapped one is never in memory as a whole."""
    for start in range(0, matrix.shape[0], size):
        rows = matrix[start : start + size]
        yield rows.numpy() if isinstance(rows, Tensor) else rows


def row_hashes(matrix: Tensor | sp.csr_array) -> np.ndarray:
    """Hash each row of float32 features, (N, k) float64; dense and sparse rows of the same values hash alike.

    Multilinear hashing: each value is two whole numbers of 16 bits; a hash is their sum, weighted by random whole
    numbers, of so many bits that it is exact in float64, which multiplies quickly. There are so many hashes that two
    given rows that differ agree in all of them with a chance of at most :math:`2^{-128}`.
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
    """Number the rows of a matrix of hashes so that equal ones have the same number, (N,)."""
    keys = np.ascontiguousarray(hashes).view(np.dtype((np.void, hashes.itemsize * hashes.shape[1]))).ravel()
    return np.unique(keys, return_inverse=True)[1]


def copies(group: np.ndarray) -> int:
    """How many items have the group of an earlier one."""
    return len(group) - len(np.unique(group))
