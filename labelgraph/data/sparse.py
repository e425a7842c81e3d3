"""Which features to keep sparse, and sparse matrices of SciPy as tensors."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

MOSTLY = 0.75

# torch says so of every CSR tensor; of what is done with them here it means nothing.
warnings.filterwarnings("ignore", ".*Sparse CSR tensor support is in beta.*")


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


def sparse_if_mostly_zero(matrix: Any) -> Any:
    """Give a dense matrix of which over three quarters are zero as CSR, and any other as it is.

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
