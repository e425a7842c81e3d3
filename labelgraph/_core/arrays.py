"""Arrays in ``.npy`` files that are mapped into memory."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from labelgraph._core.files import reserve

if TYPE_CHECKING:
    import numpy as np


def create_array(file: BinaryIO, shape: Sequence[int], dtype: Any) -> np.ndarray:
    """Turn an empty file into a ``.npy`` file of zeros, reserve its space on the disk, and map it for writing.

    Args:
        file: An empty file, open for reading and writing.
        shape: Shape of the array.
        dtype: Type of the elements.

    Raises:
        ValueError: If the array would hold Python objects.
        OSError: If the disk has not enough space.
    """
    import numpy as np

    shape, dtype = tuple(map(int, shape)), np.dtype(dtype)
    if dtype.hasobject:
        raise ValueError(f"'dtype' must be a type of numbers or texts (got {dtype})")
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    file.flush()
    start, size = file.tell(), math.prod(shape) * dtype.itemsize
    if not size:  # An array without elements cannot be mapped.
        return np.zeros(shape, dtype)
    reserve(file, start + size)
    return np.memmap(file, dtype, "r+", start, shape)


def map_array(file: BinaryIO, name: str | Path) -> np.ndarray:
    """Map a ``.npy`` file into memory. Only its header is read now, and changes are not written to the file.

    Args:
        file: The file, open for reading.
        name: Name of the file in error messages.

    Raises:
        ValueError: If the header is damaged, declares another size than that of the file, or declares Python objects.
    """
    import numpy as np

    formats = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        file.seek(0)
        version = np.lib.format.read_magic(file)
        if version not in formats:
            raise ValueError(f"version {version}")
        shape, fortran, dtype = formats[version](file)
        start, size = file.tell(), math.prod(shape) * dtype.itemsize
        if dtype.hasobject:
            raise ValueError("Python objects")
        if start + size != os.fstat(file.fileno()).st_size or any(side < 0 for side in shape):
            raise ValueError(f"a file size that does not fit {dtype} {shape}")
        order: Any = "F" if fortran else "C"
        return np.memmap(file, dtype, "c", start, shape, order) if size else np.zeros(shape, dtype, order)
    except Exception as error:  # NumPy raises many kinds of errors on a damaged header.
        raise ValueError(f"{name}: expected a readable .npy file without pickled arrays (got {error})") from error
