"""Sparse matrices from parts that a file gave, checked before anything follows their places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp


def csr_from_parts(
    name: str, data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, shape: Sequence[int]
) -> sp.csr_array:
    """A CSR array over its parts, without a copy where their types allow it.

    Args:
        name: Of the matrix, for errors.
        data: Shape (E,).
        indices: Columns, shape (E,), whole numbers.
        indptr: Where each row starts, shape (N + 1,), whole numbers.
        shape: (N, C).

    Raises:
        ValueError: If the parts do not fit one another or the shape.
    """
    wrong = _wrong(data, indices, indptr, tuple(shape))
    if wrong:
        raise ValueError(f"'{name}' must be CSR parts of the shape {tuple(shape)} (got {wrong})")
    return sp.csr_array((data, indices, indptr), shape=tuple(shape))


def _wrong(data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, shape: tuple[int, ...]) -> str:
    """What does not fit. SciPy's own check leaves out the order of rows where no entry is."""
    if len(shape) != 2 or min(shape) < 0 or any(part.ndim != 1 for part in (data, indices, indptr)):
        return f"parts of the shapes {data.shape}, {indices.shape}, {indptr.shape}"
    if data.dtype.kind not in "biuf" or any(part.dtype.kind not in "iu" for part in (indices, indptr)):
        return f"the types {data.dtype}, {indices.dtype}, {indptr.dtype}"
    if len(indptr) != shape[0] + 1 or len(data) != len(indices):
        return f"{len(data)} values, {len(indices)} indices and an indptr of {len(indptr)}"
    if indptr[0] != 0 or indptr[-1] != len(indices) or (indptr[1:] < indptr[:-1]).any():
        return f"rows that do not cover {len(indices)} entries in order"
    if len(indices) and not (int(indices.min()) >= 0 and int(indices.max()) < shape[1]):
        return f"the column index of an entry from {indices.min()} to {indices.max()}"
    return ""
