"""Train, validation and test, each with its share of every label."""

from __future__ import annotations

import numpy as np

from labelgraph.data.splits import by_rarest_label, systematic

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
