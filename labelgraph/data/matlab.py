"""Arrays of numbers in MATLAB files, version 5 and 7.3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import scipy.sparse as sp

from labelgraph.data.matlab5 import is_version5, read5, variables5
from labelgraph.data.matlab73 import is_version73, read73, variables73

NUMBERS = {
    "double", "single", "logical", "sparse", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
    "bool", "float16", "float32", "float64",
}  # fmt: skip
Variables = dict[str, tuple[str, tuple[int, ...]]]
Result = TypeVar("Result")


def mat_version(path: str | Path) -> str:
    """Tell whether a MATLAB file is of version ``"5"`` or ``"7.3"``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is neither.
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
        By name: the class, such as ``double``, ``logical``, ``sparse``, ``cell`` or ``struct``, and the shape as
        MATLAB shows it. Names that begin with ``__`` or ``#`` are MATLAB's own and left out.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, or a variable declares a size that the file cannot hold.
        ImportError: If it is of version 7.3 and h5py is not installed.

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
    return guarded(path, lambda: read(path))


def read_mat(
    path: str | Path, key: str, *, shape: Sequence[int | None] | None = (None, None), alone: bool = False
) -> np.ndarray | sp.csr_array:
    """Read one array of numbers from a MATLAB file, version 5 or 7.3.

    Axes are those that MATLAB shows. (An HDF5 file of another program, whose datasets lack the attribute
    ``MATLAB_class``, is taken as it stands.) Class and shape are checked before anything is read.

    Args:
        path: The file.
        key: Name of the array, in any case.
        shape: What is expected, ``None`` for any size of an axis; ``None`` altogether for any shape.
        alone: Accept the only array of a file under any name.

    Returns:
        The array in the type that it is stored in; a sparse one as CSR.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, has no such key, or the array is of another shape, empty, or not
            of real numbers (cells, structs, text, objects); the message names file, key and shape.
        ImportError: If it is of version 7.3 and h5py is not installed.
    """
    path = Path(path)
    variables = mat_variables(path)
    name = find_key(path, variables, key, alone)
    kind, found = variables[name]
    if kind not in NUMBERS:
        raise ValueError(f"{path}: '{name}' must be an array of real numbers (got class {kind}, shape {found})")
    if 0 in found or not found:
        raise ValueError(f"{path}: '{name}' must not be empty (got shape {found})")
    wanted = shape if shape is not None else (None,) * len(found)
    if len(found) != len(wanted) or any(w not in (None, f) for w, f in zip(wanted, found, strict=True)):
        sides = ", ".join("any" if side is None else str(side) for side in wanted)
        raise ValueError(f"{path}: '{name}' must have the shape ({sides}) (got {found})")
    read = read5 if mat_version(path) == "5" else read73
    array = guarded(path, lambda: read(path, name), f"'{name}' {found}: ")
    return array if sp.issparse(array) else array.astype(array.dtype.newbyteorder("="), copy=False)


def find_key(path: Path, variables: Variables, key: str, alone: bool = False) -> str:
    """The name of a variable: as given, else in any case, else the only one where ``alone`` allows it."""
    if key in variables:
        return key
    similar = [name for name in variables if name.casefold() == key.casefold()]
    if len(similar) != 1 and alone and len(variables) == 1:
        similar = list(variables)
    if len(similar) != 1:
        raise ValueError(f"{path}: expected the key '{key}' (got {describe_variables(variables)})")
    return similar[0]


def describe_variables(variables: Variables) -> str:
    """A list of variables for messages, such as ``XAll double (4, 3)``."""
    shown = [f"{name} {kind} {shape}" for name, (kind, shape) in list(variables.items())[:12]]
    return ", ".join(shown) + (", ..." if len(variables) > 12 else "") or "none"


def guarded(path: Path, read: Callable[[], Result], what: str = "") -> Result:
    """A damaged file makes parsers fail in many ways; all of them are one to the user."""
    try:
        return read()
    except ImportError:
        raise
    except Exception as error:
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise ValueError(f"{path}: {what}expected a readable MATLAB file (got {kind}{error})") from error
