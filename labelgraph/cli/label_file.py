"""Labels alone, from a file."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np


def read_labels(path: Path) -> tuple[np.ndarray, list[str] | None]:
    """Read multi-hot labels: ``.npy`` (N, C), or ``.csv`` with a header of their names.

    Returns:
        The labels, and the names where there are any.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or the header has another length than the rows.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of labels")
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False), None
        with path.open(encoding="utf-8-sig", newline="") as file:
            names = next(csv.reader(file), [])
            rows = file.read().splitlines()
        if not any(rows):
            raise ValueError("got no row below a header")
        labels = np.loadtxt(rows, delimiter=",", ndmin=2)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path}: expected 0/1 labels, a row an item ({' '.join(str(error).split())})") from error
    if labels.shape[1] != len(names):
        raise ValueError(f"{path}: expected a column per name in the header, {len(names)} (got {labels.shape[1]})")
    return labels, names
