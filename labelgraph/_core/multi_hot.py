"""Multi-hot labels in two forms: a dense tensor where labels are few, a SciPy CSR array where they are many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from labelgraph._core.argument_kinds import received
from labelgraph._core.array_kinds import as_sparse, plain_array
from labelgraph._core.checks import csr_tensor

DENSE_LABELS = 1024  # With more labels, they are sparse: most items have few of them, and N x C would fill the memory.


def stored_labels(matrix: sp.csr_array) -> Any:
    """Return checked labels in the form of `CrossModalData.labels`, float32 (N, C).

    Example:
        >>> import scipy.sparse as sp
        >>> from labelgraph._core.multi_hot import stored_labels
        >>> type(stored_labels(sp.csr_array((2, 1024)))).__name__, type(stored_labels(sp.csr_array((2, 1025)))).__name__
        ('Tensor', 'csr_array')
    """
    if matrix.shape[1] <= DENSE_LABELS:
        return torch.from_numpy(matrix.toarray().astype(np.float32))
    matrix.sort_indices()
    return matrix.astype(np.float32, copy=False)


def take_rows(matrix: Any, index: Any, *, dense: bool = True) -> Tensor:
    """Take rows of labels or texts; those of a CSR array become a dense tensor, or else a CSR tensor.

    Args:
        matrix: A dense tensor or a CSR array, (N, C).
        index: Row numbers, or a slice.
        dense: Convert rows of a CSR array to a dense tensor.

    Raises:
        ValueError: If ``index`` is neither a slice nor row numbers.
    """
    if not isinstance(index, Tensor | slice):
        numbers = plain_array("index", index)
        if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
            raise ValueError(f"'index' must be row numbers or a slice (got {received(index)})")
        index = torch.from_numpy(numbers.astype(np.int64))
    if isinstance(matrix, Tensor):
        return matrix[index]
    rows = matrix[index.cpu().numpy() if isinstance(index, Tensor) else index]
    return torch.from_numpy(rows.toarray()) if dense else csr_tensor(rows)


def stacked_rows(parts: Sequence[Tensor]) -> Any:
    """Stack batches of labels: dense ones to a tensor, CSR tensors to a CSR array."""
    if all(_is_dense(part) for part in parts):
        return torch.cat([*parts])
    return sp.csr_array(sp.vstack([as_sparse("labels", part) for part in parts], format="csr"))


def item_labels(labels: Any) -> tuple[Tensor, Tensor]:
    """Return the row and the column of each 1, row by row, int64.

    Args:
        labels: A dense tensor, a CSR tensor or a CSR array, (N, C).
    """
    if _is_dense(labels):
        return labels.nonzero(as_tuple=True)
    matrix = _csr(labels)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return torch.from_numpy(rows), torch.from_numpy(matrix.indices.astype(np.int64))


def label_sums(labels: Any) -> Tensor:
    """Count the items of each label, float32 (C,).

    Args:
        labels: A dense tensor, a CSR tensor or a CSR array, (N, C).

    Example:
        >>> import scipy.sparse as sp
        >>> from labelgraph._core.multi_hot import item_sums, label_sums
        >>> labels = sp.csr_array([[1, 0], [1, 1]])
        >>> label_sums(labels).tolist(), item_sums(labels).tolist()
        ([2.0, 1.0], [1.0, 2.0])
    """
    if _is_dense(labels):
        return labels.sum(0)
    matrix = _csr(labels)
    return torch.from_numpy(np.bincount(matrix.indices, minlength=matrix.shape[1]).astype(np.float32))


def item_sums(labels: Any) -> Tensor:
    """Count the labels of each item, float32 (N,)."""
    if _is_dense(labels):
        return labels.sum(1)
    return torch.from_numpy(np.diff(_csr(labels).indptr).astype(np.float32))


def plain_labels(labels: Any) -> Any:
    """Return the labels of a data set as ``uint8``, for a file: a NumPy array, or a CSR array."""
    return labels.cpu().numpy().astype(np.uint8) if isinstance(labels, Tensor) else labels.astype(np.uint8)


def label_bytes(labels: Any) -> list[np.ndarray]:
    """Return arrays that say which labels are 1, for a digest; those of a CSR array do not depend on its types."""
    if isinstance(labels, Tensor):
        return [labels.cpu().numpy()]
    return [labels.indices.astype(np.int64), labels.indptr.astype(np.int64), np.array(labels.shape, np.int64)]


def without_labels(labels: Any, item: Tensor, label: Tensor) -> Any:
    """Return a copy in which some labels are 0.

    Args:
        labels: A dense tensor or a CSR array, (N, C).
        item: Rows, (E,).
        label: Columns, (E,); an entry that is 0 stays 0.
    """
    if isinstance(labels, Tensor):
        copy = labels.clone()
        copy[item, label] = 0
        return copy
    ones = np.ones(len(item), np.float32)
    removed = sp.csr_array((ones, (item.numpy(), label.numpy())), shape=labels.shape)
    kept = labels - labels.multiply(removed > 0)
    kept.eliminate_zeros()
    return sp.csr_array(kept)


def _is_dense(labels: Any) -> bool:
    return isinstance(labels, Tensor) and labels.layout == torch.strided


def _csr(labels: Any) -> sp.csr_array:
    """Return a CSR array without explicit zeros; that of the container is not copied."""
    matrix = as_sparse("labels", labels) if isinstance(labels, Tensor) else labels
    if matrix.nnz and not matrix.data.all():
        matrix = matrix.copy()
        matrix.eliminate_zeros()
    return matrix
