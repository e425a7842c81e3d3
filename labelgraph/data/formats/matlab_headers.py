"""MATLAB files of version 5: variables are listed from their headers, and arrays are read by SciPy."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import scipy.sparse as sp

HEADER = 128
COMPRESSED, MATRIX = 15, 14
DEFLATE_RATIO = 1032  # Highest compression ratio of zlib.
ITEM_SIZES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}
CLASSES = {
    1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", 6: "double", 7: "single", 8: "int8", 9: "uint8",
    10: "int16", 11: "uint16", 12: "int32", 13: "uint32", 14: "int64", 15: "uint64", 16: "function", 17: "opaque",
}  # fmt: skip
DENSE = {name for number, name in CLASSES.items() if 6 <= number <= 15}
LOGICAL, COMPLEX = 0x200, 0x800
LONGEST_HEADER = 4096
BLOCK = 1 << 20


class _Stream:
    """The bytes of one variable, decompressed on demand."""

    def __init__(self, file: BinaryIO, length: int, compressed: bool, order: str) -> None:
        self.order = order
        self.room = length * DEFLATE_RATIO if compressed else length
        self._file, self._left, self._waiting = file, length, b""
        self._inflate = zlib.decompressobj() if compressed else None

    def read(self, size: int) -> bytes:
        parts = []
        while size > 0:
            part = self._some(min(size, BLOCK))
            if not part:
                raise ValueError("a variable ends before its data")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def skip(self, size: int) -> None:
        for start in range(0, size, BLOCK):
            self.read(min(BLOCK, size - start))

    def tag(self) -> tuple[int, int, bytes]:
        """Kind and length of the next element, and its bytes if the tag itself holds them."""
        kind, length = struct.unpack(self.order + "II", head := self.read(8))
        if kind >> 16:
            return kind & 0xFFFF, kind >> 16, head[4:]
        if length > self.room:
            raise ValueError(f"a variable declares {length} bytes where the file has room for {self.room}")
        return kind, length, b""

    def element(self) -> bytes:
        """Read a short element, such as a name."""
        _, length, data = self.tag()
        if length > LONGEST_HEADER:
            raise ValueError(f"a header of a variable declares {length} bytes (at most {LONGEST_HEADER})")
        return (data or self.read(length + -length % 8))[:length]

    def _some(self, size: int) -> bytes:
        while True:
            fresh = self._waiting or self._file.read(min(size if self._inflate is None else BLOCK, self._left))
            self._left -= 0 if self._waiting else len(fresh)
            if self._inflate is None:
                return fresh
            part = self._inflate.decompress(fresh, size)
            self._waiting = self._inflate.unconsumed_tail
            if part or not fresh:
                return part


def is_version5(head: bytes) -> bool:
    """Whether a file that begins with these bytes is a MATLAB file of version 5."""
    # SciPy reads a file with a zero among its first four bytes as version 4.
    return len(head) >= HEADER and 0 not in head[:4] and (head[124:128] in (b"\x00\x01IM", b"\x01\x00MI"))


def variables5(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Kind and shape of each variable.

    Raises:
        ValueError: If a variable declares a size that the file cannot hold.
    """
    size, variables = path.stat().st_size, {}
    with path.open("rb") as file:
        order = "<" if file.read(HEADER)[126:] == b"IM" else ">"
        place = HEADER
        while place < size:
            kind, length = struct.unpack(order + "II", file.read(8).ljust(8, b"\xff"))
            if kind not in (COMPRESSED, MATRIX) or place + 8 + length > size:
                raise ValueError(f"no whole variable at byte {place}: kind {kind}, {length} bytes of {size - place}")
            stream = _Stream(file, length, kind == COMPRESSED, order)
            if kind == COMPRESSED and stream.tag()[0] != MATRIX:
                raise ValueError(f"no variable in the compressed bytes at byte {place}")
            name, variable = _describe(stream)
            variables[name] = variable
            place += 8 + length
            file.seek(place)
    return {name: variable for name, variable in variables.items() if name and not name.startswith("__")}


def _describe(stream: _Stream) -> tuple[str, tuple[str, tuple[int, ...]]]:
    flags = struct.unpack(stream.order + "II", stream.element())[0]
    kind = CLASSES.get(flags & 0xFF, "unknown")
    shape: tuple[int, ...] = ()
    if kind != "opaque":
        sizes = stream.element()
        shape = struct.unpack(f"{stream.order}{len(sizes) // 4}i", sizes[: len(sizes) // 4 * 4])
    name = stream.element().decode("latin-1")
    if len(shape) > 32 or any(side < 0 for side in shape):
        raise ValueError(f"'{name}' declares the impossible shape {shape}")
    if kind == "sparse":
        _check_sparse(name, shape, stream)
    elif kind in DENSE:
        _check_size(name, math.prod(shape), stream)
    kind = "complex" if flags & COMPLEX else "logical" if flags & LOGICAL and kind != "sparse" else kind
    return name, (kind, shape)


def _check_size(name: str, count: int, stream: _Stream) -> None:
    """Check that the size of an array matches its shape; SciPy would allocate the declared size unchecked."""
    kind, length, data = stream.tag()
    if kind not in ITEM_SIZES or length != count * ITEM_SIZES[kind]:
        raise ValueError(f"'{name}' declares {count} numbers in {length} bytes of kind {kind}")
    if data and length > len(data):
        raise ValueError(f"'{name}' declares {length} bytes where 4 stand")


def _check_sparse(name: str, shape: tuple[int, ...], stream: _Stream) -> None:
    if len(shape) != 2 or max(shape) > stream.room:
        raise ValueError(f"'{name}' declares the shape {shape} where the file has room for {stream.room} bytes")
    for part in ("rows", "columns", "entries"):
        kind, length, data = stream.tag()
        # SciPy would look up an unknown kind beyond the end of its table.
        wrong = kind not in ITEM_SIZES or length % ITEM_SIZES[kind]
        if wrong or (part == "columns" and length != (shape[1] + 1) * ITEM_SIZES[kind]):
            raise ValueError(f"'{name}' declares {length} bytes of kind {kind} for the {part} of its shape {shape}")
        if not data and part != "entries":
            stream.skip(length + -length % 8)


def read5(path: Path, name: str) -> np.ndarray | sp.csr_array:
    """Read an array of numbers with SciPy; `variables5` must have checked its size."""
    from scipy.io import loadmat

    array = loadmat(str(path), variable_names=[name], appendmat=False)[name]
    if not sp.issparse(array):
        return np.asarray(array)
    column = sp.csc_array(array)
    column.check_format(full_check=True)  # SciPy would not check that indices are in range.
    return column.tocsr()
