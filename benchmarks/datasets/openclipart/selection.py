"""Which drawings the bundled set keeps, how they are split, and where they are saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array, csr_array

from benchmarks.datasets.openclipart.annotations import Record, Table, label_matrix, without_rare, word_matrix
from benchmarks.datasets.openclipart.drawings import embed
from labelgraph._core.files import open_atomic
from labelgraph.data.splits.strategies import by_rarest_label, systematic


def read(cache: Path, ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Read features, thumbnail bytes and offsets, where the cache was made for just these pictures."""
    if not cache.exists():
        return None
    with np.load(cache, allow_pickle=False) as arrays:
        if arrays["ids"].tolist() != list(ids):
            return None
        return arrays["features"], arrays["data"], arrays["offsets"]


def embed_cached(folder: Path, ids: Sequence[str], cache: Path | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give features (N, 1280), the bytes of N thumbnails one after the other, and offsets (N + 1,)."""
    kept = read(cache, ids) if cache else None
    if kept is not None:
        return kept
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
    """Mark, (N, N) sparse and symmetric, two different pictures whose cosine is above the threshold."""
    # In float64, so that nobody who recomputes a cosine finds it on the other side of the threshold.
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
    """Keep, going from rich to poor and in order, those near to none kept before; return sorted indices.

    Greedy rather than one of each connected component: a series drawn step by step (the generated stars)
    hangs together in one chain whose ends look nothing alike, and would be thinned to a single picture.
    """
    pairs = near_pairs(features, threshold)
    free = np.ones(len(features), dtype=bool)
    kept = []
    for index in np.argsort(-richness, kind="stable"):
        if free[index]:
            kept.append(index)
            free[pairs.indices[pairs.indptr[index] : pairs.indptr[index + 1]]] = False
    return np.sort(np.array(kept, dtype=np.int64))


@dataclass(frozen=True)
class Settled:
    """The pictures that stay, as indices of those given, with their labels and words."""

    kept: np.ndarray
    table: Mapping[str, Sequence[str]]
    labels: np.ndarray
    text: csr_array
    vocabulary: list[str]


def settle(records: Sequence[Record], table: Table) -> Settled:
    """Drop rare labels, rare words and the pictures left without any of either, until nothing is dropped.

    A picture dropped for its words may make a label rare, whose keywords are words from then on.
    """
    kept = np.arange(len(records))
    while True:
        remaining = [records[index] for index in kept.tolist()]
        table = without_rare(remaining, table)
        labels = label_matrix(remaining, table)
        merged = {keyword for keywords in table.values() for keyword in keywords}
        text, vocabulary = word_matrix(remaining, merged)
        described = labels.any(axis=1) & (np.diff(text.indptr) > 0)
        if described.all():
            return Settled(kept, table, labels, text, vocabulary)
        kept = kept[described]


VALIDATION = 300
TEST = 700
SEED = 0


def split(
    labels: np.ndarray, validation: int = VALIDATION, test: int = TEST, seed: int = SEED
) -> dict[str, np.ndarray]:
    """Split into train, validation, test; query is the test, database all the rest. Sorted int32 indices."""
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
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_atomic(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
