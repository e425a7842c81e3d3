"""MATLAB files of version 7.3, which are HDF5: their variables, and arrays by h5py."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

SIGNATURE = b"\x89HDF\r\n\x1a\n"
USER_BLOCKS = (0, 512)
DEFLATE_RATIO = 1032  # More than that no compressed byte can stand for.


def is_version73(head: bytes) -> bool:
    """Whether a file that begins with these bytes is HDF5, with the 512 bytes of MATLAB before it or without."""
    return any(head[place : place + len(SIGNATURE)] == SIGNATURE for place in USER_BLOCKS)


def open73(path: Path) -> Any:
    """The file by h5py, to be closed after use.

    Raises:
        ImportError: Without h5py.
    """
    try:
        import h5py
    except ImportError as error:
        raise ImportError(f"{path}: MATLAB 7.3 files need h5py: pip install 'labelgraph[data]'") from error
    return h5py.File(path, "r")


def variables73(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Kind and shape of each variable, as MATLAB shows it: HDF5 has the axes the other way round."""
    with open73(path) as file:
        return {name: _describe(file, name) for name in file if not name.startswith(("#", "__"))}


def _describe(file: Any, name: str) -> tuple[str, tuple[int, ...]]:
    import h5py

    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        return "linked", ()
    item = file[name]
    if isinstance(item, h5py.Group):
        if "MATLAB_sparse" not in item.attrs:
            return "struct", ()
        columns = _part(item, "jc").shape
        return "sparse", (int(item.attrs["MATLAB_sparse"]), math.prod(columns) - 1)
    if not isinstance(item, h5py.Dataset):
        return "unknown", ()
    kind = item.attrs.get("MATLAB_class", b"")
    kind = kind.decode("latin-1") if isinstance(kind, bytes) else str(kind)
    if item.dtype.kind not in "biuf":
        kind = "complex" if item.dtype.names == ("real", "imag") else kind if kind == "cell" else "object"
    if item.attrs.get("MATLAB_empty", 0):
        return kind or item.dtype.name, (0, 0)
    shape = item.shape or ()
    return kind or item.dtype.name, shape[::-1] if has_matlab_axes(item) else shape


def has_matlab_axes(dataset: Any) -> bool:
    """Whether axes stand the other way round; a file of another program has them in order, and no such mark."""
    return "MATLAB_class" in dataset.attrs


def check_storage(dataset: Any) -> None:
    """Refuse numbers that are elsewhere, or more than the bytes of the file can stand for.

    Raises:
        ValueError: If so.
    """
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"'{dataset.name}' has its numbers in other files")
    stored = dataset.id.get_storage_size()
    size = Path(dataset.file.filename).stat().st_size
    room = min(stored, size) * (DEFLATE_RATIO if dataset.chunks and dataset.compression else 1)
    if stored > size or dataset.nbytes > room:
        raise ValueError(f"'{dataset.name}' declares {dataset.nbytes} bytes where the file has room for {room}")


def _part(group: Any, name: str) -> Any:
    import h5py

    part = group.get(name) if isinstance(group.get(name, getlink=True), h5py.HardLink) else None
    if not isinstance(part, h5py.Dataset):
        raise ValueError(f"the sparse '{group.name}' has no '{name}' (got {', '.join(group) or 'none'})")
    return part


def read73(path: Path, name: str) -> np.ndarray | sp.csr_array:
    """An array of numbers, dense or sparse, with its axes as MATLAB has them."""
    with open73(path) as file:
        item = file[name]
        if "MATLAB_sparse" in item.attrs:
            return _sparse(item, path.stat().st_size)
        check_storage(item)
        array = item[()]
        return np.asarray(array.T if has_matlab_axes(item) else array)


def _sparse(group: Any, size: int) -> sp.csr_array:
    """CSC parts ``data``, ``ir``, ``jc``, of which the first two are absent where no entry is."""
    rows = int(group.attrs["MATLAB_sparse"])
    if not 0 <= rows <= size * DEFLATE_RATIO:
        raise ValueError(f"'{group.name}' declares {rows} rows in a file of {size} bytes")
    parts = {}
    for name in ("data", "ir", "jc"):
        if name == "jc" or name in group:
            part = _part(group, name)
            check_storage(part)
            parts[name] = part[()].ravel()
    columns = parts["jc"].astype(np.int64)
    entries = parts.get("data", np.zeros(0)), parts.get("ir", np.zeros(0, np.int64)).astype(np.int64)
    matrix = sp.csc_array((*entries, columns), shape=(rows, len(columns) - 1))
    matrix.check_format(full_check=True)  # Places out of range would be followed without a look.
    return matrix.tocsr()
