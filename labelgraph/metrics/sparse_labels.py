"""Numbers of labels that queries share with the items of a database, where labels are many and sparse."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from labelgraph._core.array_kinds import as_sparse
from labelgraph._core.checks import check_multi_hot
from labelgraph._core.multi_hot import DENSE_LABELS


class SparseLabels:
    """Labels of some items as a CSR array, with a list of the items of each label.

    Only the items in the lists of a query's labels are visited, so the cost depends on the number of labels of an item
    and not on the number of all labels.

    Args:
        matrix: Labels, (N, C); stored zeros and duplicates are removed from it.
    """

    ndim = 2

    def __init__(self, matrix: sp.csr_array) -> None:
        matrix.sum_duplicates()
        matrix.eliminate_zeros()  # Every stored entry counts as a label.
        self.matrix = matrix
        self.shape = matrix.shape

    @classmethod
    def read(cls, name: str, labels: Any, multi_hot: bool) -> SparseLabels | None:
        """Convert sparse labels of SciPy or torch; None if they are dense, or few enough to be made dense.

        `SparseLabels` stay as they are, even of few labels.

        Args:
            name: Name of the argument in error messages.
            labels: Labels, (N, C).
            multi_hot: Whether they must be 0 or 1.

        Raises:
            ValueError: If labels that must be 0 or 1 are not.
        """
        if isinstance(labels, SparseLabels):
            return labels
        sparse = isinstance(labels, Tensor) and labels.layout != torch.strided
        if not (sparse or sp.issparse(labels)) or labels.ndim != 2 or labels.shape[1] <= DENSE_LABELS:
            return None
        return cls(check_multi_hot(name, labels) if multi_hot else as_sparse(name, labels))

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: slice) -> sp.csr_array:
        return self.matrix[rows]

    @cached_property
    def sizes(self) -> np.ndarray:
        """Number of labels of each item, (N,)."""
        return np.diff(self.matrix.indptr)

    @cached_property
    def most(self) -> int:
        """Largest number of labels of an item."""
        return int(self.sizes.max(initial=0))

    @cached_property
    def items(self) -> sp.csc_array:
        """The items of each label."""
        return self.matrix.tocsc()

    def labels(self, item: int) -> np.ndarray:
        """Return the labels of an item."""
        return self.matrix.indices[self.matrix.indptr[item] : self.matrix.indptr[item + 1]]

    def count_shared(self, asked: sp.csr_array) -> Tensor:
        """Count the labels that each query shares with each item, int32, (b, N)."""
        shared = self.new_counts(int(np.diff(asked.indptr).max(initial=0)), asked.shape[0])
        for counts, labels in zip(shared, _rows(asked), strict=True):
            self.count(labels, counts)
        return torch.from_numpy(shared).int()

    def share_any(self, asked: sp.csr_array) -> Tensor:
        """Check whether each query shares a label with each item, bool, (b, N)."""
        shared = np.zeros((asked.shape[0], len(self)), bool)
        for mask, labels in zip(shared, _rows(asked), strict=True):
            self.mark(labels, mask, True)
        return torch.from_numpy(shared)

    def new_counts(self, most: int, num_queries: int = 1) -> np.ndarray:
        """Create zeros for `count`, for queries of at most ``most`` labels, (num_queries, N)."""
        return np.zeros((num_queries, len(self)), np.uint8 if most < 256 else np.int32)  # Bytes stay in the cache.

    def count(self, labels: np.ndarray, counts: np.ndarray) -> None:
        """Add the number of some labels that each item has to its count, (N,); only items with a label are visited."""
        for items in self._lists(labels):
            counts[items] += 1

    def mark(self, labels: np.ndarray, values: np.ndarray, value: int) -> None:
        """Set the values, (N,), of the items that have any of some labels."""
        for items in self._lists(labels):
            values[items] = value

    def _lists(self, labels: np.ndarray) -> Iterator[np.ndarray]:
        ends = self.items.indptr
        return (self.items.indices[ends[label] : ends[label + 1]] for label in labels)

    def shared_at(self, asked: sp.csr_array, places: Tensor) -> Tensor:
        """Count the labels that each query shares with the items at its places, (b, k), float64."""
        held = self.matrix[places.cpu().numpy().ravel()]
        rows = np.repeat(np.arange(asked.shape[0]), places.shape[1])
        shared = np.asarray(held.multiply(asked[rows]).sum(1)).reshape(places.shape)
        return torch.from_numpy(shared).to(places.device, torch.float64)

    def sizes_at(self, places: Tensor) -> Tensor:
        """Return the number of labels of the items at some places, (b, k), float64."""
        return torch.from_numpy(self.sizes[places.cpu().numpy()]).to(places.device, torch.float64)


def _rows(labels: sp.csr_array) -> list[np.ndarray]:
    """The labels of each item."""
    return [labels.indices[start:end] for start, end in zip(labels.indptr[:-1], labels.indptr[1:], strict=True)]
