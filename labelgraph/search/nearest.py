"""The nearest items of each query so far, while a database is gone through block by block."""

from __future__ import annotations

import numpy as np

CROWDED = 4  # Times k candidates a query: then a block is taken in halves.


class Nearest:
    """The k smallest keys of each query, by rising key and then by position.

    Blocks come in the order of the database. An item counts only if its key is below the k-th so far: one
    that equals it comes later and loses. So few items of a block have to be sorted.

    Args:
        num_queries: Number of queries Q.
        k: How many to keep; all places are filled once k items have come.
        dtype: Of the keys, float32 or unsigned; the largest value of an unsigned type is no key.

    Attributes:
        keys: Shape (Q, k).
        positions: Shape (Q, k), int64.

    Example:
        >>> import numpy as np
        >>> from labelgraph.search.nearest import Nearest
        >>> nearest = Nearest(1, 2, np.uint8)
        >>> nearest.add(np.array([[3, 1, 3]], np.uint8), start=0)
        >>> nearest.add(np.array([[3, 1]], np.uint8), start=3)
        >>> nearest.keys.tolist(), nearest.positions.tolist()
        ([[1, 1]], [[1, 4]])
    """

    def __init__(self, num_queries: int, k: int, dtype: type[np.float32] | type[np.unsignedinteger]) -> None:
        self._worst = np.inf if issubclass(dtype, np.floating) else np.iinfo(dtype).max
        self.keys = np.full((num_queries, k), self._worst, dtype)
        self.positions = np.full((num_queries, k), -1, np.int64)

    def add(self, keys: np.ndarray, start: int) -> None:
        """Take in the keys of the items from position ``start`` on, shape (Q, n)."""
        size, k = keys.shape[1], self.keys.shape[1]
        found = np.flatnonzero(keys < self.keys[:, -1:])
        if found.size > CROWDED * self.keys.size and size > k:
            # What the first half brings leaves little of the second.
            half = size // 2
            self.add(keys[:, :half], start)
            self.add(keys[:, half:], start + half)
        elif found.size:
            rows, columns = np.divmod(found, size)
            self._merge(rows, keys[rows, columns], columns + start)

    def _merge(self, rows: np.ndarray, keys: np.ndarray, positions: np.ndarray) -> None:
        """Sort candidates, given by rising row and position, among those kept."""
        k = self.keys.shape[1]
        counts = np.bincount(rows)
        touched = np.flatnonzero(counts)
        counts = counts[touched]
        # A row for each query with candidates: first those kept, then its candidates.
        places = np.repeat(np.arange(len(touched)), counts)
        slots = k + np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        all_keys = np.full((len(touched), k + counts.max()), self._worst, self.keys.dtype)
        all_positions = np.full(all_keys.shape, -1, np.int64)
        all_keys[:, :k], all_positions[:, :k] = self.keys[touched], self.positions[touched]
        all_keys[places, slots], all_positions[places, slots] = keys, positions
        order = all_keys.argsort(axis=1, kind="stable")[:, :k]
        self.keys[touched] = np.take_along_axis(all_keys, order, axis=1)
        self.positions[touched] = np.take_along_axis(all_positions, order, axis=1)
