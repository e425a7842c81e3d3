"""Conversion of user input to arrays and texts."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph._core.array_kinds import all_distinct, as_sparse, as_texts, check_distinct, plain_array

VALUES = np.array([[1.0, 2.0], [3.0, 4.5], [5.0, 6.0]])


class Frame:
    """A minimal data frame."""

    def __init__(self, values):
        self._values = values

    def to_numpy(self):
        return self._values


KINDS = {
    "lists": VALUES.tolist(), "reversed": VALUES[::-1].copy()[::-1], "big-endian": VALUES.astype(">f4"),
    "float16": VALUES.astype(np.float16), "fortran": np.asfortranarray(VALUES), "half": torch.from_numpy(VALUES).half(),
    "bfloat16": torch.from_numpy(VALUES).bfloat16(), "grad": torch.from_numpy(VALUES).requires_grad_(),
    "tuple of arrays": tuple(VALUES), "frame": Frame(VALUES), "matrix": np.asmatrix(VALUES),
}  # fmt: skip


@pytest.mark.parametrize("values", KINDS.values(), ids=KINDS)
def test_arrays_of_every_kind(values):
    array = plain_array("image", values)
    assert array.dtype.isnative and min(array.strides) > 0
    assert torch.from_numpy(array).double().tolist() == VALUES.tolist()


def test_arrays_that_fit_are_not_copied():
    assert np.shares_memory(plain_array("image", VALUES), VALUES)
    tensor = torch.ones(2, 2)
    assert np.shares_memory(plain_array("image", tensor), tensor.numpy())


@pytest.mark.parametrize(
    "values",
    [{1, 2}, {"a": 1}, "text", b"bytes", np.ma.masked_equal(VALUES, 1), [[1, 2], [3]]],
    ids=lambda x: type(x).__name__,
)
def test_unsupported_kinds_of_arrays_are_refused(values):
    with pytest.raises(ValueError, match="'image' must"):
        plain_array("image", values)


@pytest.mark.parametrize("layout", ["to_sparse", "to_sparse_csr", "to_sparse_csc"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.filterwarnings("ignore:Sparse")
def test_sparse_tensors(layout, dtype):
    dense = torch.eye(3, dtype=torch.float64)
    assert as_sparse("text", getattr(dense.to(dtype), layout)()).toarray().tolist() == dense.tolist()


@pytest.mark.parametrize("values", [sp.csr_array(np.eye(2) * 1j), np.array([["a"]]), np.array([[{}]])])
def test_matrices_must_be_real_numbers(values):
    with pytest.raises(ValueError, match="'text' must be"):
        as_sparse("text", values)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (["a", "ü"], ("a", "ü")), (torch.tensor([12, 3]), ("12", "3")), (np.arange(2), ("0", "1")),
        ([np.int64(4), torch.tensor(5), 2.0, 2.5], ("4", "5", "2", "2.5")), (range(2), ("0", "1")),
        (np.array(["a", "b"]), ("a", "b")), ((each for each in "ab"), ("a", "b")), ([], ()),
    ],
)  # fmt: skip
def test_texts(values, texts):
    assert as_texts("ids", values) == texts


@pytest.mark.parametrize(
    "values",
    ["12", b"12", {"a"}, ["a", None], [float("nan")], [np.nan, "a"], [b"a"], [["a"]], ["\ud800"], torch.tensor(3)],
)
def test_values_that_are_not_texts_are_refused(values):
    with pytest.raises(ValueError, match="'ids' must be"):
        as_texts("ids", values)


def test_repeated_texts_are_named_with_their_positions():
    check_distinct("ids", ["a", "b"])
    with pytest.raises(ValueError, match=r"'ids' must be distinct \(got 'b' twice\).* 1 and 3"):
        check_distinct("ids", ["a", "b", "c", "b", "c"])


class OneHash(str):
    """Texts with the same hash, as two different texts may have."""

    def __hash__(self):
        return 7


def test_different_texts_of_one_hash_are_distinct():
    assert all_distinct([OneHash("a"), OneHash("b")])
    assert not all_distinct([OneHash("a"), OneHash("b"), OneHash("a")])
    assert all_distinct([]) and all_distinct(["a"])
