"""One ``.npy`` file of numbers, mapped into memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def read_npy(path: Path) -> np.ndarray:
    """Map a ``.npy`` file: nothing is read yet, and changes stay in memory.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, smaller than its header declares, or not of numbers.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such .npy file")
    try:
        array = np.load(path, mmap_mode="c", allow_pickle=False)
    except Exception as error:  # A damaged header fails in many ways; all of them are one to the user.
        raise ValueError(f"{path}: expected a readable .npy file without pickled arrays (got {error})") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise ValueError(f"{path}: expected an array of numbers (got {getattr(array, 'dtype', 'an archive')})")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
