"""Train, validation and test, each with its share of every label."""

from __future__ import annotations

import numpy as np

VALIDATION = 300
TEST = 700
SEED = 0


def by_rarest_label(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Order the items by their rarest label, randomly within one label."""
    frequency = labels.sum(axis=0, dtype=np.int64)
    # Ties between equally frequent labels go to the column, so that two such labels do not mix.
    rank = np.argsort(np.argsort(frequency, kind="stable"))
    rarest = np.where(labels > 0, rank, len(rank)).min(axis=1)
    shuffled = rng.permutation(len(labels))
    return shuffled[np.argsort(rarest[shuffled], kind="stable")]


def systematic(order: np.ndarray, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Take ``size`` items at equal steps from a random start; return the taken and the rest in order."""
    places = np.floor((np.arange(size) + rng.random()) * len(order) / size).astype(np.int64)
    taken = np.zeros(len(order), dtype=bool)
    taken[places] = True
    return order[taken], order[~taken]


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
