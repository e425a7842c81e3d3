"""Multi-hot labels in a dense and in a sparse form."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph._core.multi_hot import (
    DENSE_LABELS,
    item_labels,
    item_sums,
    label_sums,
    stored_labels,
    take_rows,
    without_labels,
)

DENSE = (np.random.default_rng(0).random((20, 7)) < 0.3).astype(np.float32)
DENSE[3] = 0
FORMS = {
    "dense": torch.from_numpy(DENSE),
    "CSR array": sp.csr_array(DENSE),
    "CSR tensor": torch.from_numpy(DENSE).to_sparse_csr(),
}


def test_many_labels_are_stored_sparse():
    few, many = (stored_labels(sp.csr_array(np.eye(3, size, dtype=np.uint8))) for size in (DENSE_LABELS, 2000))
    assert isinstance(few, torch.Tensor) and few.dtype == torch.float32
    assert sp.issparse(many) and many.dtype == np.float32 and many.nnz == 3


@pytest.mark.parametrize("labels", FORMS.values(), ids=FORMS)
def test_every_form_has_the_same_sums_and_entries(labels):
    assert label_sums(labels).tolist() == DENSE.sum(0).tolist() and label_sums(labels).dtype == torch.float32
    assert item_sums(labels).tolist() == DENSE.sum(1).tolist()
    assert [part.tolist() for part in item_labels(labels)] == [part.tolist() for part in np.nonzero(DENSE)]


def test_a_stored_zero_is_no_label():
    labels = sp.csr_array((np.array([0.0, 1.0]), np.array([0, 1]), np.array([0, 2])), shape=(1, 2))
    assert label_sums(labels).tolist() == [0, 1] and item_sums(labels).tolist() == [1]
    assert labels.nnz == 2  # The caller's matrix is unchanged.


@pytest.mark.parametrize("form", ["dense", "CSR array"])
@pytest.mark.parametrize("index", [slice(4, 9), torch.tensor([3, 11, 0])])
def test_rows(form, index):
    rows = take_rows(FORMS[form], index)
    assert torch.equal(rows, torch.from_numpy(DENSE)[index])
    sparse = take_rows(FORMS["CSR array"], index, dense=False)
    assert sparse.layout == torch.sparse_csr and torch.equal(sparse.to_dense(), rows)


@pytest.mark.parametrize("form", ["dense", "CSR array"])
def test_labels_are_removed_from_a_copy(form):
    labels, item, label = FORMS[form], torch.tensor([0, 5, 5]), torch.tensor([0, 1, 2])
    expected = DENSE.copy()
    expected[[0, 5, 5], [0, 1, 2]] = 0
    left = without_labels(labels, item, label)
    assert type(left) is type(labels) and np.array_equal(take_rows(left, slice(None)).numpy(), expected)
    assert np.array_equal(take_rows(labels, slice(None)).numpy(), DENSE)
