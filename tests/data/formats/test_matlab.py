"""Arrays of MATLAB files."""

import struct
import zlib

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.io import savemat

from labelgraph.data import mat_variables, mat_version, read_mat

h5py = pytest.importorskip("h5py")

from tests.data.mat_files import save73  # noqa: E402


def packed(path, arrays):
    savemat(path, arrays, do_compression=True)


SAVERS = pytest.mark.parametrize("save", [savemat, packed, save73], ids=["5", "5 packed", "7.3"])
TYPES = st.sampled_from(["f8", "f4", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "?"])


@SAVERS
@settings(max_examples=25, deadline=None)
@given(array=hnp.arrays(TYPES, hnp.array_shapes(min_dims=2, max_dims=3, max_side=5)))
def test_an_array_comes_back_with_its_axes(tmp_path_factory, save, array):
    path = tmp_path_factory.mktemp("mat") / "a.mat"
    save(path, {"other": np.ones((1, 2)), "XAll": array})
    again = read_mat(path, "xall", shape=None)
    # MATLAB drops trailing axes of one; so does a version 7.3 file only if its writer did.
    np.testing.assert_array_equal(again.reshape(array.shape), array)
    kind, shape = mat_variables(path)["XAll"]
    assert shape == again.shape and (kind == "logical") == (array.dtype == bool)


@SAVERS
@pytest.mark.parametrize("density", [0.0, 0.2, 1.0])
def test_a_sparse_array_stays_sparse(tmp_path, save, density):
    matrix = sp.random(7, 5, density, format="csc", random_state=1)
    save(tmp_path / "a.mat", {"YAll": matrix})
    again = read_mat(tmp_path / "a.mat", "YAll", shape=(7, None))
    assert again.format == "csr" and again.nnz == matrix.nnz
    np.testing.assert_array_equal(again.toarray(), matrix.toarray())


def test_hdf5_of_other_programs_is_taken_as_it_stands(tmp_path):
    array = np.arange(6.0).reshape(2, 3)
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["x"] = array
    assert mat_version(tmp_path / "a.mat") == "7.3"
    np.testing.assert_array_equal(read_mat(tmp_path / "a.mat", "x"), array)


@SAVERS
def test_errors_name_file_key_and_shape(tmp_path, save):
    path = tmp_path / "a.mat"
    save(path, {"x": np.ones((3, 2)), "y": np.ones((1, 4))})
    with pytest.raises(ValueError, match=r"a\.mat: .* key 'LAll' \(got x double \(3, 2\), y double \(1, 4\)\)"):
        read_mat(path, "LAll", alone=True)
    with pytest.raises(ValueError, match=r"a\.mat: 'x' must have the shape \(any, 5\) \(got \(3, 2\)\)"):
        read_mat(path, "x", shape=(None, 5))
    with pytest.raises(FileNotFoundError, match=r"b\.mat: no such MATLAB file"):
        read_mat(tmp_path / "b.mat", "x")


def test_the_only_array_is_taken_under_any_name_where_allowed(tmp_path):
    savemat(tmp_path / "a.mat", {"labels": np.eye(2)})
    assert read_mat(tmp_path / "a.mat", "train_lab", alone=True).tolist() == [[1, 0], [0, 1]]
    with pytest.raises(ValueError, match="expected the key 'train_lab'"):
        read_mat(tmp_path / "a.mat", "train_lab")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (np.array([["a", 1.0], [2.0, "b"]], dtype=object), "cell"), ({"a": 1.0}, "struct"), ("text", "char"),
        (np.ones((2, 2)) * 1j, "complex"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_refused(tmp_path, value, kind):
    savemat(tmp_path / "a.mat", {"x": value})
    with pytest.raises(ValueError, match=rf"a\.mat: 'x' must be an array of real numbers \(got class {kind}"):
        read_mat(tmp_path / "a.mat", "x", shape=None)


def test_cells_and_structs_and_links_of_hdf5_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_dataset("cell", data=np.array([file.ref]), dtype=h5py.ref_dtype).attrs["MATLAB_class"] = "cell"
        file.create_group("struct")
        file["text"] = "abc"
        file["link"] = h5py.ExternalLink("b.mat", "/x")
    for name, kind in (("cell", "cell"), ("struct", "struct"), ("text", "object"), ("link", "linked")):
        with pytest.raises(ValueError, match=rf"'{name}' must be an array of real numbers \(got class {kind}"):
            read_mat(tmp_path / "a.mat", name, shape=None)


@SAVERS
def test_an_empty_array_is_refused(tmp_path, save):
    save(tmp_path / "a.mat", {"x": np.ones((0, 3))})
    with pytest.raises(ValueError, match=r"'x' must not be empty"):
        read_mat(tmp_path / "a.mat", "x")


def variable(shape, kind, length, data):
    """One variable of version 5, with any declared length."""
    flags = struct.pack("<IIII", 6, 8, 6, 0)
    sizes = struct.pack("<II", 5, 8) + struct.pack("<ii", *shape)
    body = flags + sizes + struct.pack("<HHI", 1, 1, ord("x")) + struct.pack("<II", kind, length) + data
    return struct.pack("<II", 14, len(body)) + body


HEAD = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"


@pytest.mark.parametrize("squeeze", [False, True])
@pytest.mark.parametrize(
    ("shape", "kind", "length"),
    [((1 << 14, 1 << 14), 9, 1 << 31), ((1 << 14, 1 << 14), 2, 1 << 28), ((2, 2), 9, 64), ((2, 2), 99, 32)],
)
def test_a_declared_size_that_the_file_cannot_hold_is_refused(tmp_path, squeeze, shape, kind, length):
    content = variable(shape, kind, length, bytes(32))
    if squeeze:
        content = zlib.compress(content)
        content = struct.pack("<II", 15, len(content)) + content
    (tmp_path / "a.mat").write_bytes(HEAD + content)
    with pytest.raises(ValueError, match=r"a\.mat: expected a readable .* declares"):
        read_mat(tmp_path / "a.mat", "x")


def test_the_same_variable_of_its_true_size_is_read(tmp_path):
    (tmp_path / "a.mat").write_bytes(HEAD + variable((2, 2), 9, 32, np.arange(4.0).tobytes()))
    assert read_mat(tmp_path / "a.mat", "x").tolist() == [[0, 2], [1, 3]]


@pytest.mark.parametrize("part", range(3))
def test_an_unknown_kind_in_a_sparse_array_is_refused(tmp_path, part):
    """SciPy ends the process at that of the entries."""
    savemat(tmp_path / "a.mat", {"x": sp.csc_array(np.arange(30.0).reshape(5, 6))})
    content = (tmp_path / "a.mat").read_bytes()
    place = [content.index(struct.pack("<II", 5, 29 * 4)), content.index(struct.pack("<II", 5, 7 * 4))]
    place.append(content.index(struct.pack("<II", 9, 29 * 8)))
    damaged = bytearray(content)
    damaged[place[part] + 1] = 16
    (tmp_path / "a.mat").write_bytes(damaged)
    with pytest.raises(ValueError, match=r"a\.mat: expected a readable .*'x' declares .* of kind 41"):
        read_mat(tmp_path / "a.mat", "x")


def test_a_huge_hdf5_shape_without_numbers_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_dataset("x", (1 << 20, 1 << 20), chunks=(64, 64), compression="gzip", dtype="f8")
        file.create_dataset("y", (1 << 20, 2), dtype="f8", external=[("numbers", 0, h5py.h5f.UNLIMITED)])
    with pytest.raises(ValueError, match=r"'x' \(1048576, 1048576\): .*declares 8796093022208 bytes"):
        read_mat(tmp_path / "a.mat", "x")
    with pytest.raises(ValueError, match="in other files"):
        read_mat(tmp_path / "a.mat", "y")


def test_places_out_of_range_of_a_sparse_array_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        group = file.create_group("x")
        group.attrs["MATLAB_sparse"] = 3
        group["jc"], group["ir"], group["data"] = [0, 1], [7], [1.0]
    with pytest.raises(ValueError, match=r"'x' \(3, 1\): .*ind(ices|ex values) must be < 3"):
        read_mat(tmp_path / "a.mat", "x")


@pytest.mark.parametrize("content", [b"", b"MATLAB 4.2", b"\x80\x04K\x01.", b"x" * 300])
def test_other_files_are_told_by_their_first_bytes(tmp_path, content):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.mat: expected a MATLAB file of version 5 or 7\.3"):
        read_mat(tmp_path / "a.mat", "x")
