"""Selection of the drawings of the bundled set, their splits, and the writing of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_array, csr_array

from benchmarks.datasets.openclipart.annotations import Record, Table, label_matrix, without_rare, word_matrix
from benchmarks.datasets.openclipart.drawings import embed
from labelgraph._core.files import open_atomic
from labelgraph.data.splits.strategies import by_rarest_label, systematic


def read(cache: Path, ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Read features, thumbnail bytes and offsets from a cache of exactly these pictures."""
    if not cache.exists():
        return None
    with np.load(cache, allow_pickle=False) as arrays:
        if arrays["ids"].tolist() != list(ids):
            return None
        return arrays["features"], arrays["data"], arrays["offsets"]


def embed_cached(folder: Path, ids: Sequence[str], cache: Path | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features (N, 1280), the concatenated bytes of N thumbnails, and their offsets (N + 1,)."""
    cached = read(cache, ids) if cache else None
    if cached is not None:
        return cached
    features, thumbnails = embed([folder / f"{name}.png" for name in ids])
    data = np.frombuffer(b"".join(thumbnails), dtype=np.uint8)
    offsets = np.cumsum([0, *map(len, thumbnails)], dtype=np.int64)
    if cache:
        arrays = {"ids": np.array(ids), "features": features, "data": data, "offsets": offsets}
        save_npz(cache, arrays)
    return features, data, offsets


THRESHOLD = 0.98
ROWS = 1024


def near_pairs(features: np.ndarray, threshold: float = THRESHOLD) -> csr_array:
    """Mark pairs of different pictures whose cosine is above the threshold, in a sparse symmetric (N, N) matrix."""
    # In float64, so that rounding does not move a cosine to the other side of the threshold.
    unit = features.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    rows, columns = [], []
    for start in range(0, len(unit), ROWS):
        near = np.argwhere(unit[start : start + ROWS] @ unit.T > threshold)
        rows.append(near[:, 0] + start)
        columns.append(near[:, 1])
    row, column = np.concatenate(rows), np.concatenate(columns)
    row, column = row[row != column], column[row != column]
    return coo_array((np.ones(len(row), dtype=bool), (row, column)), shape=(len(unit), len(unit))).tocsr()


def deduplicate(features: np.ndarray, richness: np.ndarray, threshold: float = THRESHOLD) -> np.ndarray:
    """Keep pictures that are near to no picture kept before, the richest first; return sorted indices.

    The selection is greedy, and does not keep one picture of each connected component: a series of drawings that change
    step by step, such as the generated stars, is one component although its first and last drawings differ.
    """
    pairs = near_pairs(features, threshold)
    free = np.ones(len(features), dtype=bool)
    chosen = []
    for index in np.argsort(-richness, kind="stable"):
        if free[index]:
            chosen.append(index)
            free[pairs.indices[pairs.indptr[index] : pairs.indptr[index + 1]]] = False
    return np.sort(np.array(chosen, dtype=np.int64))


@dataclass(frozen=True)
class Settled:
    """The pictures that are kept, as indices, with their labels and words."""

    indices: np.ndarray
    table: Mapping[str, Sequence[str]]
    labels: np.ndarray
    text: csr_array
    vocabulary: list[str]


def settle(records: Sequence[Record], table: Table) -> Settled:
    """Drop rare labels, rare words, and pictures without labels or words, until nothing more is dropped.

    After a picture is dropped, one of its labels may be rare; the keywords of a rare label become words.
    """
    indices = np.arange(len(records))
    while True:
        remaining = [records[index] for index in indices.tolist()]
        table = without_rare(remaining, table)
        labels = label_matrix(remaining, table)
        merged = {keyword for keywords in table.values() for keyword in keywords}
        text, vocabulary = word_matrix(remaining, merged)
        described = labels.any(axis=1) & (np.diff(text.indptr) > 0)
        if described.all():
            return Settled(indices, table, labels, text, vocabulary)
        indices = indices[described]


VALIDATION = 300
TEST = 700
SEED = 0


def split(
    labels: np.ndarray, validation: int = VALIDATION, test: int = TEST, seed: int = SEED
) -> dict[str, np.ndarray]:
    """Split into train, validation and test; the queries are test, the database all others. Sorted int32 indices."""
    rng = np.random.default_rng(seed)
    test_items, rest = systematic(by_rarest_label(labels, rng), test, rng)
    validation_items, train_items = systematic(rest, validation, rng)
    parts = {"train": train_items, "validation": validation_items, "test": test_items}
    for name, items in parts.items():
        missing = np.flatnonzero(~labels[items].any(axis=0))
        if len(missing):
            raise ValueError(f"the {name} split lacks labels {missing.tolist()}; try another seed")
    parts |= {"query": test_items, "database": rest}
    return {name: np.sort(items).astype(np.int32) for name, items in parts.items()}


def save_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a compressed .npz file; equal arrays give equal bytes, because NumPy stores no time."""
    for name, array in arrays.items():
        if array.dtype.hasobject:  # NumPy 2.0 would write them.
            raise ValueError(f"{name!r} must be numbers or strings (got objects, which would need allow_pickle)")
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_atomic(path) as file:
        entries: dict[str, Any] = dict(arrays)  # NumPy's annotations would take an array for ``allow_pickle``.
        np.savez_compressed(file, **entries)
