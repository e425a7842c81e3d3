"""Co-occurrence of many labels, against the one sparse product that it cannot do without."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from benchmarks.speed.measure import pair
from labelgraph.graph import cooccurrence_graph

SAMPLES, LABELS, A_ROW = 1_000_000, 10_000, 5


def measure(threads: int) -> list[dict[str, Any]]:
    """One million samples with five of ten thousand labels each."""
    generator = np.random.default_rng(0)
    column = generator.integers(LABELS, size=(SAMPLES, A_ROW)).ravel()
    start = np.arange(0, SAMPLES * A_ROW + 1, A_ROW)
    labels = sp.csr_array((np.ones(column.size, dtype=np.int64), column, start), shape=(SAMPLES, LABELS))
    labels.sum_duplicates()
    labels.data[:] = 1
    name = f"co-occurrence, {SAMPLES} x {LABELS} labels, {A_ROW} a row, against labels.T @ labels"
    return [pair(name, lambda: cooccurrence_graph(labels), lambda: labels.T.tocsr() @ labels, repeats=3)]
