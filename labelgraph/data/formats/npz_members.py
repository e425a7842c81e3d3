"""Arrays of ``.npz`` files, read with memory in proportion to the file size."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np

from labelgraph._core.reading import quoted, reading

DEFLATE_RATIO = 1032  # Highest compression ratio of deflate.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # Compression methods that NumPy writes.
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz(path: Path, wanted: Callable[[str], bool] = bool) -> tuple[dict[str, np.ndarray], list[str]]:
    """Read arrays of a ``.npz`` file.

    Before memory is allocated, the declared size of an array is compared with the size of the file. Checksums are
    verified.

    Args:
        path: The file.
        wanted: Returns whether to read the array of a name; by default all arrays are read.

    Returns:
        The arrays by name, and the names of all arrays in the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, an array holds Python objects, or a name occurs twice.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such .npz file")
    with (
        reading(path, "a readable .npz file without pickled arrays"),
        path.open("rb") as file,
        zipfile.ZipFile(file) as archive,
    ):
        members = _members(archive, path.stat().st_size)
        for entry in members.values():
            archive.open(entry).close()  # Compares the name of the entry with the name in the directory.
        return {name: _read(archive, info) for name, info in members.items() if wanted(name)}, sorted(members)


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Entries of the directory by name, after checking that they are distinct and fit the file size."""
    entries = archive.infolist()
    members = {entry.filename.removesuffix(".npy"): entry for entry in entries}
    if len(members) < len(entries) or len({entry.header_offset for entry in entries}) < len(entries):
        raise ValueError("a member twice in the directory")
    if sum(entry.compress_size for entry in entries) > size:
        raise ValueError(f"members of more bytes than the {size:,} of the file")
    return members


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    if entry.compress_type not in METHODS:
        raise ValueError(f"{quoted(entry.filename)} is compressed by a method that NumPy does not write")
    ratio = 1 if entry.compress_type == zipfile.ZIP_STORED else DEFLATE_RATIO
    room = min(entry.file_size, entry.compress_size * ratio)
    with archive.open(entry) as file:
        _check_header(file, entry.filename, room)
    with archive.open(entry) as file:
        array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
        if file.read(1):  # Reading to the end verifies the checksum.
            raise ValueError(f"{quoted(entry.filename)} goes on after its array")
    return array


def _check_header(file: IO[bytes], name: str, room: int) -> None:
    header = HEADERS.get(np.lib.format.read_magic(file))
    if header is None:
        raise ValueError(f"{quoted(name)} is of an unknown version")
    shape, _, dtype = header(file)
    if dtype.hasobject:
        raise ValueError(f"{quoted(name)} holds Python objects")
    if any(side < 0 for side in shape) or math.prod(shape) * dtype.itemsize > room:
        raise ValueError(f"{quoted(name)} declares {dtype} {shape} where the file has room for {room} bytes")
