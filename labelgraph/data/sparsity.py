"""Which features to keep sparse."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

MOSTLY = 0.75


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
