"""Conversion of labels by name: one collection of names per item, or a data frame."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from labelgraph._core.array_kinds import as_texts, check_distinct
from labelgraph._core.names import did_you_mean
from labelgraph._core.reading import quoted


def named_labels(labels: Any, label_names: Any = ()) -> tuple[Any, tuple[str, ...]]:
    """Return labels as a matrix, with their names if they are known.

    Args:
        labels: Labels of N items: a collection of names per item, such as a list or a set. Or a data frame of 0 and 1
            with one column per label. Or a matrix (N, C), which is returned unchanged.
        label_names: The C names of the labels. For labels by name, they also set the allowed labels and the order of
            the columns, which is sorted by default.

    Returns:
        The matrix, and the names of its columns, which are empty if unknown.

    Raises:
        ValueError: If an item has a text instead of a collection, or a label that is not in ``label_names``.

    Example:
        >>> from labelgraph._core.named_labels import named_labels
        >>> matrix, names = named_labels([["sky", "sea"], {"sea"}, []])
        >>> matrix.toarray().tolist(), names
        ([[1, 1], [1, 0], [0, 0]], ('sea', 'sky'))
    """
    names_given = () if label_names is None else as_texts("label_names", label_names)
    columns = getattr(labels, "columns", None)
    if columns is not None and hasattr(labels, "to_numpy"):
        return labels.to_numpy(), names_given or as_texts("labels", columns)
    if not _is_by_name(labels):
        return labels, names_given
    rows = [_row(number, row) for number, row in enumerate(labels)]
    names = names_given or tuple(sorted({name for row in rows for name in row}))
    check_distinct("label_names", names)
    column = {name: place for place, name in enumerate(names)}
    for number, row in enumerate(rows):
        if unknown := [name for name in row if name not in column]:
            hint = did_you_mean(unknown[0], names)
            raise ValueError(
                f"'labels' must be among 'label_names' (got {quoted(unknown[0], 60)} at row {number}){hint}"
            )
    indptr = np.cumsum([0, *map(len, rows)])
    indices = np.array([column[name] for row in rows for name in row], dtype=np.int64)
    return sp.csr_array((np.ones(len(indices), np.uint8), indices, indptr), shape=(len(rows), len(names))), names


def _is_by_name(labels: Any) -> bool:
    """Check whether labels are given by name; the first text, set or non-empty list among the items decides."""
    if not isinstance(labels, list | tuple):
        return False
    for row in labels:
        if isinstance(row, set | frozenset | str):
            return True
        if not isinstance(row, list | tuple) or any(not isinstance(name, str) for name in row):
            return False
        if row:
            return True
    return False


def _row(number: int, row: Any) -> Sequence[str]:
    if isinstance(row, str | bytes | Mapping) or not isinstance(row, Collection):
        raise ValueError(f"'labels' must have a collection of names per item (got {quoted(row, 60)} at row {number})")
    return list(dict.fromkeys(as_texts(f"labels[{number}]", sorted(row) if isinstance(row, set | frozenset) else row)))
