"""Numbers of labels that queries share with the items of a database, where labels are many and sparse."""

from __future__ import annotations

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

        Args:
            name: Name of the argument in error messages.
            labels: Labels, (N, C).
            multi_hot: Whether they must be 0 or 1.

        Raises:
            ValueError: If labels that must be 0 or 1 are not.
        """
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
    def _items(self) -> sp.csc_array:
        """The items of each label."""
        return self.matrix.tocsc()

    def count_shared(self, asked: sp.csr_array) -> Tensor:
        """Count the labels that each query shares with each item, int32, (b, N)."""
        most = int(np.diff(asked.indptr).max(initial=0))
        shared = np.zeros((asked.shape[0], len(self)), np.uint8 if most < 256 else np.int32)  # Bytes stay in the cache.
        for row, items in self._lists(asked):
            shared[row, items] += 1
        return torch.from_numpy(shared).int()

    def share_any(self, asked: sp.csr_array) -> Tensor:
        """Check whether each query shares a label with each item, bool, (b, N)."""
        shared = np.zeros((asked.shape[0], len(self)), bool)
        for row, items in self._lists(asked):
            shared[row, items] = True
        return torch.from_numpy(shared)

    def _lists(self, asked: sp.csr_array) -> Any:
        ends = self._items.indptr
        for row in range(asked.shape[0]):
            for label in asked.indices[asked.indptr[row] : asked.indptr[row + 1]]:
                yield row, self._items.indices[ends[label] : ends[label + 1]]

    def shared_at(self, asked: sp.csr_array, places: Tensor) -> Tensor:
        """Count the labels that each query shares with the items at its places, (b, k), float64."""
        held = self.matrix[places.cpu().numpy().ravel()]
        rows = np.repeat(np.arange(asked.shape[0]), places.shape[1])
        shared = np.asarray(held.multiply(asked[rows]).sum(1)).reshape(places.shape)
        return torch.from_numpy(shared).to(places.device, torch.float64)

    def sizes_at(self, places: Tensor) -> Tensor:
        """Return the number of labels of the items at some places, (b, k), float64."""
        return torch.from_numpy(self.sizes[places.cpu().numpy()]).to(places.device, torch.float64)
