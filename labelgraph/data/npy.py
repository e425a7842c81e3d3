"""Files of NumPy: one array mapped into memory, and the sizes that an archive declares."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np

DEFLATE_RATIO = 1032  # More than that no compressed byte can stand for.
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npy(path: Path, kinds: str = "biuf") -> np.ndarray:
    """Map a ``.npy`` file: nothing is read yet, and changes stay in memory.

    Args:
        path: The file.
        kinds: Of types that are expected: those of numbers, ``"U"`` for texts.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, smaller than its header declares, or of another kind.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such .npy file")
    try:
        array = np.load(path, mmap_mode="c", allow_pickle=False)
    except Exception as error:  # A damaged header fails in many ways; all of them are one to the user.
        raise ValueError(f"{path}: expected a readable .npy file without pickled arrays (got {error})") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in kinds:
        what = "numbers or texts" if "U" in kinds else "numbers"
        raise ValueError(f"{path}: expected an array of {what} (got {getattr(array, 'dtype', 'an archive')})")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def check_npz_sizes(path: Path) -> None:
    """Refuse a ``.npz`` file whose arrays declare more than it can hold; NumPy would set their memory aside.

    Raises:
        ValueError: If so.
    """
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            room = min(member.file_size, min(member.compress_size, size) * DEFLATE_RATIO)
            with archive.open(member) as file:
                header = HEADERS.get(np.lib.format.read_magic(file))
                if header is None:
                    raise ValueError(f"'{member.filename}' is of an unknown version")
                shape, _, dtype = header(file)
            if not dtype.hasobject and math.prod(shape) * dtype.itemsize > room:
                raise ValueError(
                    f"'{member.filename}' declares {dtype} {shape} where the file has room for {room} bytes"
                )
