"""Checks of arguments; an error names the argument, the expected value and the received value."""

from __future__ import annotations

import json
import textwrap
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from labelgraph._core.argument_kinds import received
from labelgraph._core.array_kinds import as_sparse, plain_array

ROW_BLOCK = 2**14


def check_multi_hot(name: str, labels: Any) -> sp.csr_array:
    """Check that labels are 0 or 1, and return them as a CSR array of shape (N, C).

    Raises:
        ValueError: If ``labels`` is not a matrix, has no rows or columns, or holds anything but 0 and 1.
    """
    matrix = as_sparse(name, labels)
    matrix.sum_duplicates()
    if min(matrix.shape) == 0:
        raise ValueError(f"'{name}' must have at least one row and one column (got shape {matrix.shape})")
    values = matrix.data
    wrong = ~((values == 0) | (values == 1))
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        row = int(np.searchsorted(matrix.indptr, place, side="right")) - 1
        column = int(matrix.indices[place])
        raise ValueError(f"'{name}' must be 0 or 1 (got {values[place]} at row {row}, column {column})")
    matrix.eliminate_zeros()
    return matrix


def check_present(present: Any, size: int) -> Tensor:
    """Check the mask of the sides that each item has, image and text, (N, 2); by default every item has both.

    Raises:
        ValueError: If the shape is wrong, a value is not 0 or 1, or an item has neither side.
    """
    if present is None:
        return torch.ones(size, 2, dtype=torch.bool)
    mask = torch.from_numpy(plain_array("present", present))
    if tuple(mask.shape) != (size, 2):
        raise ValueError(f"'present' must have the shape ({size}, 2), image and text (got {tuple(mask.shape)})")
    if not ((mask == 0) | (mask == 1)).all():
        raise ValueError("'present' must be 0 or 1 (got other values)")
    bare = (~mask.bool().any(1)).nonzero().flatten()
    if len(bare):
        raise ValueError(f"'present' must give every item a side (got {len(bare)} with none, first row {bare[0]})")
    return mask.bool()


def check_encoders(encoders: Any) -> dict[str, dict[str, Any]]:
    """Check the encoder settings of ``image`` and ``text``, which must be plain values that JSON can hold.

    Raises:
        ValueError: If ``encoders`` is not a mapping of these sides, a side does not name its ``encoder``, or a
            value does not fit JSON.
    """
    if not isinstance(encoders, Mapping) or not set(encoders) <= {"image", "text"}:
        raise ValueError(f"'encoders' must map 'image', 'text' or both to settings (got {_shortened(encoders)})")
    for side, settings in encoders.items():
        if not isinstance(settings, Mapping) or not isinstance(settings.get("encoder"), str):
            raise ValueError(f"'encoders' must name the 'encoder' of '{side}' (got {_shortened(settings)})")
    try:
        checked: dict[str, dict[str, Any]] = json.loads(json.dumps({k: dict(v) for k, v in encoders.items()}))
    except (TypeError, ValueError) as error:
        raise ValueError(f"'encoders' must be plain values that JSON can hold (got {error})") from error
    return checked


def _shortened(value: Any) -> str:
    return textwrap.shorten(repr(value), 80)


def check_features(name: str, features: Any, present: Tensor | None = None) -> Tensor | sp.csr_array:
    """Check that features are a finite matrix, and return float32: a dense tensor, or a CSR array if sparse.

    Args:
        name: Name of the argument in error messages.
        features: A matrix of NumPy, SciPy or torch.
        present: Mask of the rows to check, bool; all other rows are not checked and become 0.

    Raises:
        ValueError: If ``features`` is not a matrix of numbers, is empty, has another number of rows than ``present``,
            or holds NaN or infinity.
    """
    if present is not None and hasattr(features, "shape") and features.shape and features.shape[0] != len(present):
        raise ValueError(f"'{name}' must have a row per row of 'labels', {len(present)} (got {features.shape[0]})")
    if sp.issparse(features) or (isinstance(features, Tensor) and features.layout != torch.strided):
        return _check_sparse(name, features, present)
    dense = _as_tensor(name, features)
    if dense.ndim != 2 or dense.numel() == 0:
        raise ValueError(f"'{name}' must be a non-empty matrix (got shape {tuple(dense.shape)})")
    if present is not None and len(dense) != len(present):
        raise ValueError(f"'{name}' must have a row per row of 'labels', {len(present)} (got {len(dense)})")
    dense = dense.to(torch.float32).contiguous()
    if present is not None and not present.all():
        dense = dense.masked_fill(~present.unsqueeze(1).to(dense.device), 0.0)
    rows = _rows_not_finite(dense)
    if len(rows):
        raise ValueError(f"'{name}' must be finite (got NaN or infinity in {len(rows)} rows, first row {rows[0]})")
    return dense


def _as_tensor(name: str, features: Any) -> Tensor:
    """Convert features to a dense tensor of real numbers, which shares their memory where possible."""
    if not isinstance(features, Tensor):
        array = plain_array(name, features)
        if array.dtype.kind not in "biufc":
            kind = {"U": "texts", "S": "bytes", "O": "objects"}.get(array.dtype.kind, str(array.dtype))
            raise ValueError(f"'{name}' must be a matrix of numbers (got {kind})")
        if array.dtype.kind == "c" or array.dtype.itemsize > 8:
            raise ValueError(f"'{name}' must be real numbers of at most 64 bits (got {array.dtype})")
        features = torch.from_numpy(array)
    dense: Tensor = features.detach()
    if dense.is_complex():
        raise ValueError(f"'{name}' must be real numbers (got {dense.dtype})")
    return dense


def _check_sparse(name: str, features: Any, present: Tensor | None) -> sp.csr_array:
    sparse = sp.csr_array(features) if sp.issparse(features) and features.ndim == 2 else as_sparse(name, features)
    if sparse.dtype.kind not in "biuf" or not sparse.dtype.isnative:
        sparse = as_sparse(name, sparse)
    if min(sparse.shape) == 0:
        raise ValueError(f"'{name}' must be a non-empty matrix (got shape {sparse.shape})")
    sparse = sparse.astype(np.float32, copy=False)
    if present is not None and not present.all():
        sparse = sparse.copy()
        sparse.data[np.repeat(~present.numpy(), np.diff(sparse.indptr))] = 0.0
        sparse.eliminate_zeros()
    if not np.isfinite(sparse.data).all():
        raise ValueError(f"'{name}' must be finite (got NaN or infinity)")
    return sparse


def _rows_not_finite(matrix: Tensor) -> Tensor:
    """Return the rows that hold NaN or infinity.

    The matrix is read in blocks, because a memory-mapped matrix may be larger than memory. A row with NaN or infinity
    has a sum that is not finite, and sums are much faster than a check of every value. Finite values may also sum to
    infinity, so the rows with such a sum are checked value by value.
    """
    bad = torch.cat([~torch.isfinite(block.sum(1)) for block in matrix.split(ROW_BLOCK)])
    rows = bad.nonzero().flatten()
    return rows[[not torch.isfinite(matrix[row]).all() for row in rows.tolist()]]


def check_split(name: str, index: Any, size: int) -> Tensor:
    """Check the row numbers of a split, and return them as an int64 tensor.

    Raises:
        ValueError: If ``index`` is empty, is not a vector or set of whole numbers, is out of range, or repeats an item.
    """
    if index is None or isinstance(index, str | bytes | Mapping):
        raise ValueError(f"split '{name}' must be a vector of whole numbers (got {received(index)})")
    array = plain_array(name, sorted(index) if isinstance(index, set | frozenset) else index)
    if array.size == 0:
        raise ValueError(f"split '{name}' must have at least one item (got none)")
    if array.ndim != 1 or array.dtype.kind not in "iu":
        hint = "; a mask has its row numbers in mask.nonzero()" if array.dtype.kind == "b" else ""
        raise ValueError(f"split '{name}' must be a vector of whole numbers (got {array.dtype}, {array.shape}){hint}")
    if array.min() < 0 or array.max() >= size:
        raise ValueError(f"split '{name}' must index {size} items (got {array.min()} to {array.max()})")
    rows = torch.from_numpy(array.astype(np.int64))
    repeats = len(rows) - rows.unique().numel()
    if repeats:
        raise ValueError(f"split '{name}' must hold each item once (got {repeats} repeats)")
    return rows


MOSTLY = 0.75


def new_csr(start: Tensor, column: Tensor, value: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Create a sparse CSR tensor without torch's warning that CSR tensors are in beta."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(start, column, value, shape, check_invariants=False)


def csr_tensor(matrix: sp.csr_array) -> Tensor:
    """Create a sparse CSR tensor that shares the values of a SciPy CSR array.

    Example:
        >>> import scipy.sparse as sp
        >>> from labelgraph.data import csr_tensor
        >>> csr_tensor(sp.csr_array([[0.0, 2.0]])).to_dense()
        tensor([[0., 2.]], dtype=torch.float64)
    """
    start, column, value = map(torch.from_numpy, (matrix.indptr, matrix.indices, matrix.data))
    return new_csr(start, column, value, matrix.shape)


def sparse_if_mostly_zero(matrix: Any) -> Any:
    """Convert a dense matrix to CSR if over three quarters of its values are zero; otherwise return it unchanged.

    Example:
        >>> import numpy as np
        >>> from labelgraph.data import sparse_if_mostly_zero
        >>> sparse_if_mostly_zero(np.eye(8)).nnz
        8
        >>> type(sparse_if_mostly_zero(np.ones((2, 2)))).__name__
        'ndarray'
    """
    if not isinstance(matrix, np.ndarray) or np.count_nonzero(matrix) >= (1 - MOSTLY) * matrix.size:
        return matrix
    return sp.csr_array(matrix)
