"""Labels that are given by their names: a collection a row, or a data frame."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from labelgraph._core.array_kinds import as_texts, check_distinct
from labelgraph._core.names import did_you_mean
from labelgraph._core.reading import quoted


def named_labels(labels: Any, label_names: Any = ()) -> tuple[Any, tuple[str, ...]]:
    """Labels as a matrix, and their names as far as they are given.

    Args:
        labels: Of N items: a collection of names an item, such as a list or a set; or a data frame of 0 and 1 whose
            columns are called as the labels; or any matrix (N, C), which is given back as it is.
        label_names: The C names; of labels by name also which of them there are, and their order, by default sorted.

    Returns:
        The matrix, and the names, none where there are none.

    Raises:
        ValueError: If an item has a text in place of a collection, or a label that ``label_names`` lacks.

    Example:
        >>> from labelgraph._core.named_labels import named_labels
        >>> matrix, names = named_labels([["sky", "sea"], {"sea"}, []])
        >>> matrix.toarray().tolist(), names
        ([[1, 1], [1, 0], [0, 0]], ('sea', 'sky'))
    """
    given = () if label_names is None or len(label_names) == 0 else as_texts("label_names", label_names)
    columns = getattr(labels, "columns", None)
    if columns is not None and hasattr(labels, "to_numpy"):
        return labels.to_numpy(), given or as_texts("labels", columns)
    if not _is_by_name(labels):
        return labels, given
    rows = [_row(number, row) for number, row in enumerate(labels)]
    names = given or tuple(sorted({name for row in rows for name in row}))
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
    """Whether an item, the first that tells, has a collection of texts or is a text itself."""
    if not isinstance(labels, list | tuple):
        return False
    for row in labels:
        if isinstance(row, set | frozenset | str):
            return True
        if not isinstance(row, list | tuple) or any(not isinstance(each, str) for each in row):
            return False
        if row:
            return True
    return False


def _row(number: int, row: Any) -> Sequence[str]:
    if isinstance(row, str | bytes | Mapping) or not isinstance(row, Collection):
        raise ValueError(f"'labels' must have a collection of names an item (got {quoted(row, 60)} at row {number})")
    return list(dict.fromkeys(as_texts(f"labels[{number}]", sorted(row) if isinstance(row, set | frozenset) else row)))
