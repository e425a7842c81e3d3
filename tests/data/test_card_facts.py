"""Hashes of rows against comparison of the rows themselves."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph.data.card_facts import BLOCK, copies, groups, row_hashes


@pytest.mark.parametrize("rows", [1, 7, BLOCK, BLOCK + 3])
def test_equal_rows_and_they_alone_hash_alike(rows):
    rng = np.random.default_rng(rows)
    matrix = rng.integers(0, 3, (rows, 4)).astype(np.float32)
    expected = np.unique(matrix, axis=0, return_inverse=True)[1].ravel()
    result = groups(row_hashes(torch.from_numpy(matrix)))
    np.testing.assert_array_equal(result[:, None] == result, expected[:, None] == expected)
    assert copies(result) == rows - len(np.unique(expected))


def test_a_difference_in_the_last_bit_is_a_difference():
    matrix = torch.ones(2, 3)
    matrix[1, 2] = 1 + torch.finfo(torch.float32).eps
    assert copies(groups(row_hashes(matrix))) == 0


def test_values_in_other_columns_are_other_rows():
    matrix = torch.tensor([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 1.0, 2.0], [3.0, 0.0, 0.0]])
    assert copies(groups(row_hashes(matrix))) == 0


def test_sparse_and_dense_rows_hash_alike_whatever_is_stored():
    dense = np.array([[0, 1.5, 0], [-0.0, 0, 0], [2, 0, -1]], dtype=np.float32)
    stored = sp.csr_array(  # A stored zero, unsorted columns, and two entries that add up.
        (np.array([1.0, 0.5, 0.0, -1, 2], np.float32), np.array([1, 1, 0, 2, 0]), np.array([0, 2, 3, 5])), shape=(3, 3)
    )
    expected = row_hashes(torch.from_numpy(dense))
    np.testing.assert_array_equal(row_hashes(sp.csr_array(dense)), expected)
    np.testing.assert_array_equal(row_hashes(stored), expected)
    assert stored.nnz == 5  # Left as it was.
