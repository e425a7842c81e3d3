"""Facts of a data card: of the features of one side, and of the labels of some items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from torch import Tensor

from labelgraph.data.duplicates import blocks


@dataclass(frozen=True)
class SideFacts:
    """Features of one side, over the items that have it.

    Args:
        channels: Number of features.
        sparse: Whether they are kept sparse.
        zeros: Share of values that are 0.
        lowest: Lowest value.
        highest: Highest value.
        constant: Features with one value for all items.
        zero_rows: Items whose features are all 0.
        missing: Items without this side.
    """

    channels: int
    sparse: bool
    zeros: float
    lowest: float
    highest: float
    constant: int
    zero_rows: int
    missing: int


@dataclass(frozen=True)
class LabelFacts:
    """Labels of some items.

    Args:
        items: How many.
        count: Items of each label, by name, the most frequent first.
        never: Labels that no item has.
        an_item: Labels an item: the mean, the median and the most.
        without: Items without labels.
        pairs: Share of the pairs of labels that occur together.
    """

    items: int
    count: dict[str, int]
    never: tuple[str, ...]
    an_item: tuple[float, float, int]
    without: int
    pairs: float


def side_facts(matrix: Tensor | sp.csr_array, present: Tensor) -> tuple[SideFacts, np.ndarray]:
    """Facts of one side, and which of its rows are all 0 or missing."""
    there = present.numpy()
    lowest, highest = np.full((2, matrix.shape[1]), [[np.inf], [-np.inf]], dtype=np.float32)
    count, start = np.zeros(len(there), dtype=np.int64), 0
    for rows in blocks(matrix):
        here = np.flatnonzero(there[start : start + rows.shape[0]])
        if len(here):
            own = rows if len(here) == rows.shape[0] else rows[here]
            np.minimum(lowest, _dense(own.min(axis=0)), out=lowest)
            np.maximum(highest, _dense(own.max(axis=0)), out=highest)
            count[start + here] = _nonzero(own)
        start += rows.shape[0]
    values = int(there.sum()) * matrix.shape[1]
    facts = SideFacts(
        channels=matrix.shape[1],
        sparse=bool(sp.issparse(matrix)),
        zeros=1 - int(count.sum()) / values if values else 1.0,
        lowest=float(lowest.min()) if values else 0.0,
        highest=float(highest.max()) if values else 0.0,
        constant=int((lowest >= highest).sum()),
        zero_rows=int((count[there] == 0).sum()),
        missing=int((~there).sum()),
    )
    return facts, count == 0


def _dense(row: Any) -> np.ndarray:
    values: np.ndarray = row.toarray() if sp.issparse(row) else row
    return values.ravel()


def _nonzero(rows: np.ndarray | sp.csr_array) -> np.ndarray:
    """Values of each row that are not 0."""
    if isinstance(rows, np.ndarray):
        return np.count_nonzero(rows != 0, axis=1)  # Quicker than of the values.
    rows = rows.copy()
    rows.eliminate_zeros()
    return np.diff(rows.indptr)


def label_facts(labels: np.ndarray, names: Sequence[str]) -> LabelFacts:
    """Facts of multi-hot labels, bool (N, C)."""
    count, each = labels.sum(0), labels.sum(1)
    order = np.argsort(-count, kind="stable").tolist()
    matrix = sp.csr_array(labels.astype(np.int64))
    together = sp.triu(matrix.T @ matrix, 1).nnz
    pairs = len(names) * (len(names) - 1) // 2
    return LabelFacts(
        items=len(labels),
        count={names[i]: int(count[i]) for i in order},
        never=tuple(names[i] for i in np.flatnonzero(count == 0).tolist()),
        an_item=(float(each.mean()), float(np.median(each)), int(each.max())),
        without=int((each == 0).sum()),
        pairs=together / pairs if pairs else 0.0,
    )
