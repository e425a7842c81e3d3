"""Writing files whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np


def save(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file beside its place, then rename it, so that no half-written one is ever seen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    with beside.open("wb") as stream:
        write(stream)
    beside.replace(path)


def save_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a compressed .npz; NumPy stamps no time, so equal arrays give equal bytes."""
    save(path, lambda stream: np.savez_compressed(stream, allow_pickle=False, **arrays))


def save_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file."""
    save(path, lambda stream: stream.write(text.encode()))
