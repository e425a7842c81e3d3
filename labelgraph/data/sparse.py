"""Sparse matrices of SciPy as tensors."""

from __future__ import annotations

import scipy.sparse as sp
import torch
from torch import Tensor


def csr_tensor(matrix: sp.csr_array) -> Tensor:
    """A sparse CSR tensor over the same values.

    Example:
        >>> import scipy.sparse as sp
        >>> from labelgraph.data import csr_tensor
        >>> csr_tensor(sp.csr_array([[0.0, 2.0]])).to_dense()
        tensor([[0., 2.]], dtype=torch.float64)
    """
    start, column, value = map(torch.from_numpy, (matrix.indptr, matrix.indices, matrix.data))
    return torch.sparse_csr_tensor(start, column, value, matrix.shape, check_invariants=False)
