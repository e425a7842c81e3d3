"""Reader of arrays in MATLAB files of versions 5 and 7.3."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from labelgraph._core.reading import one_line, reading
from labelgraph.data.formats.matlab_headers import is_version5, read5, variables5

NUMBERS = {
    "double", "single", "logical", "sparse", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
    "bool", "float16", "float32", "float64",
}  # fmt: skip
Variables = dict[str, tuple[str, tuple[int, ...]]]
READABLE = "a readable MATLAB file"


def mat_version(path: str | Path) -> str:
    """Tell whether a MATLAB file is of version ``"5"`` or ``"7.3"``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is of neither version.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such MATLAB file")
    with path.open("rb") as file:
        head = file.read(1024)
    if is_version73(head):
        return "7.3"
    if is_version5(head):
        return "5"
    raise ValueError(f"{path}: expected a MATLAB file of version 5 or 7.3 (got one that begins with {head[:16]!r})")


def mat_variables(path: str | Path) -> Variables:
    """List the variables of a MATLAB file without reading them.

    Returns:
        Class and shape of each variable by its name. Classes are ``double``, ``logical``, ``sparse``, ``cell``,
        ``struct`` and others; shapes are as MATLAB shows them. MATLAB's own names, which begin with ``__`` or ``#``,
        are left out.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, or a variable declares a size that the file cannot hold.
        ImportError: If the file is of version 7.3 and h5py is not installed.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from scipy.io import savemat
        >>> from labelgraph.data import mat_variables, read_mat
        >>> path = Path(tempfile.mkdtemp()) / "labels.mat"
        >>> savemat(path, {"LAll": np.eye(3, 2)})
        >>> mat_variables(path)
        {'LAll': ('double', (3, 2))}
        >>> read_mat(path, "LAll").tolist()
        [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    """
    path = Path(path)
    read = variables5 if mat_version(path) == "5" else variables73
    with reading(path, READABLE):
        return read(path)


def read_mat(
    path: str | Path, key: str, *, shape: Sequence[int | None] | None = (None, None), alone: bool = False
) -> np.ndarray | sp.csr_array:
    """Read one array of numbers from a MATLAB file, version 5 or 7.3.

    Axes are in the order that MATLAB shows. HDF5 files of other programs, whose datasets lack the attribute
    ``MATLAB_class``, keep the order of the file. Class and shape are checked before the array is read.

    Args:
        path: The file.
        key: Name of the array, in any case.
        shape: Expected shape; ``None`` as an entry accepts any size of that axis, ``None`` as a whole any shape.
        alone: Accept the only array of a file under any name.

    Returns:
        The array in its stored type; a sparse array is CSR.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, has no such key, or the array is of another shape, empty, or not
            of real numbers (cells, structs, text, objects); the message names file, key and shape.
        ImportError: If the file is of version 7.3 and h5py is not installed.
    """
    path = Path(path)
    variables = mat_variables(path)
    name = find_key(path, variables, key, alone)
    kind, actual = variables[name]
    if kind not in NUMBERS:
        raise ValueError(f"{path}: '{name}' must be an array of real numbers (got class {kind}, shape {actual})")
    if 0 in actual or not actual:
        raise ValueError(f"{path}: '{name}' must not be empty (got shape {actual})")
    wanted = shape if shape is not None else (None,) * len(actual)
    if len(actual) != len(wanted) or any(w not in (None, f) for w, f in zip(wanted, actual, strict=True)):
        sides = ", ".join("any" if side is None else str(side) for side in wanted)
        raise ValueError(f"{path}: '{name}' must have the shape ({sides}) (got {actual})")
    read = read5 if mat_version(path) == "5" else read73
    with reading(path, READABLE):
        try:
            array = read(path, name)
        except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
            raise ValueError(f"'{name}' {actual}: {one_line(error)}") from error
    return array if sp.issparse(array) else array.astype(array.dtype.newbyteorder("="), copy=False)


def find_key(path: Path, variables: Variables, key: str, alone: bool = False) -> str:
    """Find the name of a variable, exact or in another case; with ``alone``, the only variable under any name."""
    if key in variables:
        return key
    similar = [name for name in variables if name.casefold() == key.casefold()]
    if len(similar) != 1 and alone and len(variables) == 1:
        similar = list(variables)
    if len(similar) != 1:
        raise ValueError(f"{path}: expected the key '{key}' (got {describe_variables(variables)})")
    return similar[0]


def describe_variables(variables: Variables) -> str:
    """List variables for error messages, such as ``XAll double (4, 3)``."""
    shown = [f"{name} {kind} {shape}" for name, (kind, shape) in list(variables.items())[:12]]
    return one_line(", ".join(shown) + (", ..." if len(variables) > 12 else "")) or "none"


SIGNATURE = b"\x89HDF\r\n\x1a\n"
USER_BLOCKS = (0, 512)
DEFLATE_RATIO = 1032  # Highest compression ratio of deflate.


def is_version73(head: bytes) -> bool:
    """Whether a file that begins with these bytes is HDF5, with or without the 512-byte header of MATLAB."""
    return any(head[place : place + len(SIGNATURE)] == SIGNATURE for place in USER_BLOCKS)


def open73(path: Path) -> Any:
    """Open a file with h5py; the caller closes it.

    Raises:
        ImportError: If h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise ImportError(f"{path}: MATLAB 7.3 files need h5py: pip install 'labelgraph[data]'") from error
    return h5py.File(path, "r")


def variables73(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Kind and shape of each variable, with axes as MATLAB shows them; HDF5 stores them in reverse order."""
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
    """Whether MATLAB wrote the dataset, with its axes in reverse order; other programs do not set the attribute."""
    return "MATLAB_class" in dataset.attrs


def check_storage(dataset: Any) -> None:
    """Check that a dataset is stored in its own file and fits the size of the file.

    Raises:
        ValueError: If the numbers are in other files, or the file is too small for the declared size.
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
    """Read an array of numbers, dense or sparse, with axes as MATLAB shows them."""
    with open73(path) as file:
        item = file[name]
        if "MATLAB_sparse" in item.attrs:
            return _sparse(item, path.stat().st_size)
        check_storage(item)
        array = item[()]
        return np.asarray(array.T if has_matlab_axes(item) else array)


def _sparse(group: Any, size: int) -> sp.csr_array:
    """Read the CSC parts ``data``, ``ir``, ``jc``; a matrix without entries has only ``jc``."""
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
    matrix.check_format(full_check=True)  # SciPy would not check that indices are in range.
    return matrix.tocsr()
