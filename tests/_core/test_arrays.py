import io
import os

import numpy as np
import pytest

from labelgraph._core.arrays import create_array, map_array
from labelgraph._core.files import open_atomic


@pytest.mark.parametrize("shape", [(3, 4), (5,), (), (0, 4), (4, 0)])
@pytest.mark.parametrize("dtype", ["float32", "uint8", "bool", ">i4", "U3"])
def test_created_arrays_are_npy_files(tmp_path, shape, dtype):
    expected = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    with open_atomic(tmp_path / "a.npy") as file:
        array = create_array(file, shape, dtype)
        assert not array.any() if dtype != "U3" else True
        array[...] = expected
    for mapped in (np.load(tmp_path / "a.npy"), map_array((tmp_path / "a.npy").open("rb"), "a")):
        assert mapped.dtype == expected.dtype and mapped.shape == shape and (mapped == expected).all()


def test_disk_space_is_reserved_before_the_array_is_written(tmp_path):
    with open_atomic(tmp_path / "a.npy") as file:
        create_array(file, (1 << 20,), "uint8")
        assert os.fstat(file.fileno()).st_blocks * 512 >= 1 << 20


def test_objects_are_refused(tmp_path):
    with open_atomic(tmp_path / "a.npy") as file, pytest.raises(ValueError, match="object"):
        create_array(file, (3,), object)
    np.save(tmp_path / "b.npy", np.array([{}]), allow_pickle=True)
    with (tmp_path / "b.npy").open("rb") as file, pytest.raises(ValueError, match=r"b\.npy.*objects"):
        map_array(file, "b.npy")


def test_changes_of_a_mapped_array_stay_in_memory_and_column_order_is_kept(tmp_path):
    expected = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.save(tmp_path / "a.npy", expected)
    with (tmp_path / "a.npy").open("rb") as file:
        array = map_array(file, "a.npy")
    assert (array == expected).all() and array.flags.f_contiguous
    array[...] = 0
    assert (np.load(tmp_path / "a.npy") == expected).all()


def test_damaged_files_are_one_error_that_names_the_file(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.arange(10, dtype=np.int16))
    good, path = buffer.getvalue(), tmp_path / "a.npy"
    damaged = [good[:cut] for cut in (0, 5, 9, 50, 127, len(good) - 1)] + [good + b"x"]
    for place in range(128):
        damaged += [good[:place] + bytes([good[place] ^ 1 << bit]) + good[place + 1 :] for bit in (0, 4, 7)]
    failed = 0
    for content in damaged:
        path.write_bytes(content)
        with path.open("rb") as file:
            try:
                assert map_array(file, path).nbytes == 20  # Another type of the same size can be declared.
            except ValueError as error:
                assert str(error).startswith(f"{path}: ")
                failed += 1
    assert failed > 100
