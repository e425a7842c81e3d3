"""Checks of features and labels."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph._core.checks import check_encoders, check_features, check_multi_hot

LABELS = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 0], [0, 1, 1]])

FORMATS = {
    "lists": lambda y: y.tolist(),
    "bool": lambda y: y.astype(bool),
    "uint8": lambda y: y.astype(np.uint8),
    "float": lambda y: y.astype(np.float64),
    "fortran": np.asfortranarray,
    "torch": torch.from_numpy,
    "torch bool": lambda y: torch.from_numpy(y).bool(),
    "torch coo": lambda y: torch.from_numpy(y).float().to_sparse(),
    "torch csr": lambda y: torch.from_numpy(y).float().to_sparse_csr(),
    "torch csc": lambda y: torch.from_numpy(y).float().to_sparse_csc(),
    **{f"scipy {kind} matrix": lambda y, k=kind: sp.coo_matrix(y).asformat(k) for kind in ("csr", "csc", "coo")},
    **{
        f"scipy {kind} array": lambda y, k=kind: sp.coo_array(y).asformat(k)
        for kind in ("csr", "csc", "coo", "lil", "dok", "bsr", "dia")
    },
}


@pytest.mark.filterwarnings("ignore:Sparse CS")
@pytest.mark.parametrize("convert", FORMATS.values(), ids=FORMATS)
def test_multi_hot_of_every_format(convert):
    checked = check_multi_hot("labels", convert(LABELS))
    assert isinstance(checked, sp.csr_array)
    np.testing.assert_array_equal(checked.toarray(), LABELS)


def test_multi_hot_drops_stored_zeros_and_leaves_the_input_alone():
    matrix = sp.csr_matrix((np.array([1, 0, 1]), np.array([1, 0, 0]), np.array([0, 2, 3])), shape=(2, 2))
    before = [part.copy() for part in (matrix.data, matrix.indices, matrix.indptr)]
    for part in (matrix.data, matrix.indices, matrix.indptr):
        part.flags.writeable = False
    assert check_multi_hot("labels", matrix).nnz == 2
    for part, old in zip((matrix.data, matrix.indices, matrix.indptr), before, strict=True):
        np.testing.assert_array_equal(part, old)


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy, sp.csr_array, sp.csc_array])
@pytest.mark.parametrize("value", [2.0, -1.0, 0.5, float("nan"), float("inf")])
def test_multi_hot_names_the_place_of_a_value_other_than_0_and_1(convert, value):
    labels = np.zeros((7, 5))
    labels[4] = 1
    labels[4, 3] = value
    with pytest.raises(ValueError, match=rf"'tags' must be 0 or 1 \(got {value} at row 4, column 3\)"):
        check_multi_hot("tags", convert(labels))


@pytest.mark.parametrize("shape", [(3,), (2, 2, 2), (0, 3), (3, 0)])
def test_multi_hot_must_be_a_matrix_with_rows_and_columns(shape):
    with pytest.raises(ValueError, match=r"'labels' must .*got shape"):
        check_multi_hot("labels", np.zeros(shape))


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy, lambda x: x.tolist(), np.asfortranarray])
def test_features_become_float32(convert):
    features = np.arange(6.0).reshape(2, 3)
    checked = check_features("image", convert(features))
    assert checked.dtype == torch.float32 and checked.is_contiguous()
    assert checked.tolist() == features.tolist()


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
def test_sparse_features_stay_sparse(kind):
    features = sp.random_array((5, 4), density=0.4, format=kind, random_state=np.random.default_rng(0))
    checked = check_features("text", features)
    assert isinstance(checked, sp.csr_array) and checked.dtype == np.float32
    np.testing.assert_allclose(checked.toarray(), features.toarray(), rtol=1e-6)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_features_that_float32_cannot_hold_are_refused(value):
    features = np.ones((6, 2))
    features[[3, 5], 1] = value
    with pytest.raises(ValueError, match=r"'image' must be finite .*in 2 rows, first row 3"):
        check_features("image", features)


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_sparse_features_must_be_finite(value):
    with pytest.raises(ValueError, match="'text' must be finite"):
        check_features("text", sp.csr_array(np.diag([1.0, value])))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros(3), r"'image' must be a non-empty matrix \(got shape \(3,\)\)"),
        (np.zeros((0, 3)), "'image' must be a non-empty matrix"),
        (np.zeros((3, 0)), "'image' must be a non-empty matrix"),
        (np.ones((2, 2)) * 1j, "'image' must be real numbers"),
        (np.array([["a"]]), "'image' must be a matrix of numbers"),
    ],
)
def test_features_must_be_a_matrix_of_real_numbers(features, message):
    with pytest.raises(ValueError, match=message):
        check_features("image", features)


@pytest.mark.parametrize(
    "wrong",
    [["image"], {"sound": {"encoder": "x"}}, {"text": {"vocabulary": []}}, {"text": "bag"}, {"text": {"encoder": 3}}],
)
def test_wrong_encoders_are_refused(wrong):
    with pytest.raises(ValueError, match="'encoders' must"):
        check_encoders(wrong)


def test_encoders_must_be_plain_values():
    with pytest.raises(ValueError, match="plain values"):
        check_encoders({"text": {"encoder": "bag-of-words", "vocabulary": {1, 2}}})


def test_encoders_are_converted_as_by_json():
    encoders = {"text": {"encoder": "bag-of-words", "vocabulary": ("cat", "dog")}}
    assert check_encoders(encoders) == {"text": {"encoder": "bag-of-words", "vocabulary": ["cat", "dog"]}}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (3, 2), (4, 4)])
def test_a_value_that_is_not_finite_is_found_wherever_it_is(value, place):
    features = torch.rand(5, 5)
    features[place] = value
    with pytest.raises(ValueError, match=rf"in 1 rows, first row {place[0]}\)"):
        check_features("image", features)


def test_infinities_that_cancel_are_found():
    with pytest.raises(ValueError, match=r"in 1 rows, first row 1\)"):
        check_features("image", [[1.0, 2.0], [np.inf, -np.inf]])


def test_values_whose_sum_is_too_large_are_finite():
    features = torch.full((3, 8), torch.finfo(torch.float32).max)
    assert torch.equal(check_features("image", features), features)
    features[1, 7] = np.nan
    with pytest.raises(ValueError, match=r"in 1 rows, first row 1\)"):
        check_features("image", features)


@pytest.mark.slow
def test_sparse_products_do_not_warn():
    """PyTorch warns once per process that CSR tensors are in beta, so this needs a new process."""
    code = """
import warnings
import scipy.sparse as sp, torch
from labelgraph.data import csr_tensor
from labelgraph.nn import propagate
warnings.simplefilter("error")
propagate(torch.ones(1000, 2), torch.tensor([[0], [1]]), torch.ones(1))
csr_tensor(sp.csr_array([[0.0, 2.0]]))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
