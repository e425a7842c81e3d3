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
    """Make an empty file a ``.npy`` file of zeros, with its room on the disk, and map it for writing.

    Args:
        file: An empty file, open for reading and writing.
        shape: Of the array.
        dtype: Of the array.

    Raises:
        ValueError: If the array would hold Python objects.
        OSError: If the disk has not enough room.
    """
    import numpy as np

    shape, dtype = tuple(map(int, shape)), np.dtype(dtype)
    if dtype.hasobject:
        raise ValueError(f"'dtype' must be of numbers or texts (got {dtype})")
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    file.flush()
    start, size = file.tell(), math.prod(shape) * dtype.itemsize
    if not size:  # Nothing can be mapped of an empty file.
        return np.zeros(shape, dtype)
    reserve(file, start + size)
    return np.memmap(file, dtype, "r+", start, shape)


def map_array(file: BinaryIO, name: str | Path) -> np.ndarray:
    """Map a ``.npy`` file; nothing but its header is read yet, and changes stay in memory.

    Args:
        file: Open for reading.
        name: Told in errors.

    Raises:
        ValueError: If the header is damaged, the size is another one than it declares, or it declares Python objects.
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
            raise ValueError(f"another size than that of {dtype} {shape}")
        order: Any = "F" if fortran else "C"
        return np.memmap(file, dtype, "c", start, shape, order) if size else np.zeros(shape, dtype, order)
    except Exception as error:  # A damaged header fails in many ways; all of them are one to the user.
        raise ValueError(f"{name}: expected a readable .npy file without pickled arrays (got {error})") from error
