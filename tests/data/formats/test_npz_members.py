"""Arrays of archives, in memory in proportion to the file."""

import io
import struct
import time
import zipfile

import numpy as np
import pytest

from labelgraph.data.formats.npz_members import read_npz


def saved(tmp_path, **arrays):
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    return tmp_path / "a.npz"


def test_arrays_by_name(tmp_path):
    path = saved(tmp_path, a=np.arange(3), b=np.array(["x"]), c=np.zeros((0, 2)))
    arrays, names = read_npz(path, lambda name: name != "b")
    assert names == ["a", "b", "c"] and set(arrays) == {"a", "c"}
    assert arrays["a"].tolist() == [0, 1, 2] and arrays["c"].shape == (0, 2)


def directory_of(path, count):
    """The same member many times in the directory, under other names."""
    content = path.read_bytes()
    end = content.rindex(b"PK\x05\x06")
    start = struct.unpack("<I", content[end + 16 : end + 20])[0]
    entry = content[start:end]
    place = 46
    entries = b"".join(entry[:place] + f"{i:05d}"[-5:].encode() + entry[place + 5 :] for i in range(count))
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(entries), start, 0)
    path.write_bytes(content[:start] + entries + tail)


def test_many_entries_for_one_member_are_refused_at_once(tmp_path):
    path = saved(tmp_path, a=np.zeros(10_000_000))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        member = io.BytesIO()
        np.save(member, np.zeros(10_000_000))
        archive.writestr("00000.npy", member.getvalue())
    directory_of(path, 400)
    start = time.perf_counter()
    with pytest.raises(ValueError, match=r"a\.npz: expected a readable \.npz file"):
        read_npz(path)
    assert time.perf_counter() - start < 2


def test_a_declared_shape_of_more_than_the_file_is_refused(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40,)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", header.getvalue() + b"1234")
    with pytest.raises(ValueError, match=r"a\.npz: .*'a\.npy' declares float32"):
        read_npz(tmp_path / "a.npz")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_of_other_programs_are_refused(tmp_path, method):
    member = io.BytesIO()
    np.save(member, np.zeros(1000))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
        archive.writestr("a.npy", member.getvalue())
    with pytest.raises(ValueError, match=r"a\.npz: .*'a\.npy' is compressed"):
        read_npz(tmp_path / "a.npz")


def test_objects_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a\.npz: .*'a\.npy' holds Python objects"):
        read_npz(saved(tmp_path, a=np.array([{}], dtype=object)))


def test_a_damaged_name_in_the_directory_is_no_other_array(tmp_path):
    path = saved(tmp_path, a=np.arange(3), splits=np.arange(2))
    content = path.read_bytes()
    place = content.rindex(b"splits.npy")
    path.write_bytes(content[:place] + b"spliss.npy" + content[place + 10 :])
    with pytest.raises(ValueError, match=r"a\.npz: expected a readable \.npz file"):
        read_npz(path, lambda name: name == "a")
