"""Standard names of splits, and their other spellings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labelgraph._core.lazy import LazyTable

NAMES = ("train", "validation", "test", "query", "database")
MEANT = {
    **{name: name for name in NAMES},
    "training": "train", "val": "validation", "valid": "validation", "dev": "validation", "development": "validation",
    "testing": "test", "queries": "query", "gallery": "database", "retrieval": "database",
}  # fmt: skip
# Strategies to split a data set, by name.
SPLITS: LazyTable[Callable[..., Any]] = LazyTable(
    {
        "test-vs-test": "labelgraph.data.splits.strategies:test_vs_test",
        "dcmh": "labelgraph.data.splits.strategies:dcmh",
        "agah": "labelgraph.data.splits.strategies:agah",
        "uniform": "labelgraph.data.splits.strategies:uniform",
        "stratified": "labelgraph.data.splits.strategies:stratified",
    }
)


def split_name(name: object) -> str:
    """The standard name of a split; an unknown name stays unchanged.

    Example:
        >>> from labelgraph.data.splits.split_names import split_name
        >>> split_name(" Train"), split_name("VAL"), split_name("Fold 1")
        ('train', 'validation', 'Fold 1')
    """
    return MEANT.get(str(name).strip().casefold(), str(name))
