"""The splits that the MATLAB file of a hashing set comes with, in its struct ``param``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelgraph.data.matlab import guarded
from labelgraph.data.matlab73 import check_storage, open73
from labelgraph.data.splits import complete

FIELDS = {
    "indextrain": "train", "indexquery": "query", "indextest": "query", "indexdatabase": "database",
    "indexretrieval": "database",
}  # fmt: skip


def mat_splits(path: Path, key: str, size: int, train: int, seed: int) -> dict[str, Tensor]:
    """Splits of a struct of index vectors; none if it has no such field.

    Indices count from 0 if a 0 is among them, and otherwise from 1 as MATLAB does.

    Args:
        path: The file, of version 7.3.
        key: Name of the struct.
        size: Number of items.
        train: Items to draw from the database, where the struct has no training items.
        seed: Of the draw.

    Raises:
        ValueError: If it cannot be read, or a field holds anything else than distinct indices.
    """
    found = guarded(path, lambda: _indices(path, key))
    first = 0 if any((index == 0).any() for index in found.values()) else 1
    for name, index in found.items():
        if index.min() < first or index.max() >= size + first or len(np.unique(index)) < len(index):
            raise ValueError(
                f"{path}: the indices of '{name}' in '{key}' must be distinct, {first} to {size - 1 + first} "
                f"(got {len(np.unique(index))} of {len(index)}, {index.min()} to {index.max()})"
            )
    return _completed({name: index - first for name, index in found.items()}, size, train, seed)


def _indices(path: Path, key: str) -> dict[str, np.ndarray]:
    with open73(path) as file:
        return {name: _vector(file[key], field) for field, name in _fields(file[key]).items()}


def _fields(group: Any) -> dict[str, str]:
    """The fields of a struct that are splits, and which."""
    names = {field: FIELDS[field.casefold()] for field in group if field.casefold() in FIELDS}
    if len(set(names.values())) < len(names):
        raise ValueError(f"'{group.name}' must have one field for each split (got {', '.join(names)})")
    return names


def _vector(group: Any, field: str) -> np.ndarray:
    """The whole numbers of a field, with any axes of one."""
    import h5py

    item: Any = group[field] if isinstance(group.get(field, getlink=True), h5py.HardLink) else None
    numbers = isinstance(item, h5py.Dataset) and item.dtype.kind in "iuf"
    if not numbers or not item.shape or not 0 < item.size == max(item.shape):
        raise ValueError(f"'{group.name}' must have a vector of numbers '{field}' (got {item})")
    check_storage(item)
    values = item[()].ravel()
    with np.errstate(invalid="ignore"):
        whole: np.ndarray = values.astype(np.int64)
    if (whole != values).any():
        raise ValueError(f"'{group.name}' must have whole numbers in '{field}' (got others)")
    return whole


def _completed(found: dict[str, np.ndarray], size: int, train: int, seed: int) -> dict[str, Tensor]:
    """Add what is not there: the database is all but the queries, training items are drawn from it."""
    if "database" not in found and "query" in found:
        found["database"] = np.setdiff1d(np.arange(size), found["query"])
    if "train" not in found and "database" in found:
        found["train"] = np.random.default_rng(seed).permutation(found["database"])[:train]
    return complete({name: torch.from_numpy(np.sort(index)) for name, index in found.items()})
