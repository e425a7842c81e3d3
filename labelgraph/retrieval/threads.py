"""Rows of arrays shared out to threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np


def in_parts(pool: ThreadPoolExecutor, function: Callable[..., Any], step: int, *arrays: np.ndarray) -> list[Any]:
    """Call a function with ``step`` rows of each array at a time; NumPy lets threads work side by side.

    Returns:
        What the calls gave, in the order of the rows.
    """
    parts = [tuple(array[start : start + step] for array in arrays) for start in range(0, len(arrays[0]), step)]
    return list(pool.map(lambda part: function(*part), parts))
