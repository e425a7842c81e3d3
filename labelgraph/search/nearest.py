"""The k smallest keys of each query, gathered block by block."""

from __future__ import annotations

import numpy as np

FEW = 64  # Candidates a query that are never too many, however small k is.


class Nearest:
    """The k smallest keys of each query, by rising key and then by position.

    Blocks come in the order of the database. An item is a candidate only if its key is below the k-th when
    candidates were last sorted: one that equals it comes later and loses. So few items have to be sorted, and
    not often.

    Args:
        num_queries: Number of queries Q.
        k: How many to keep; all places are filled once k items have come.
        dtype: Of the keys, float32 or unsigned of up to 32 bits; infinity and the largest unsigned are no keys.

    Example:
        >>> import numpy as np
        >>> from labelgraph.search.nearest import Nearest
        >>> nearest = Nearest(1, 2, np.uint8)
        >>> nearest.add(np.array([[3, 1, 3]], np.uint8), start=0)
        >>> nearest.add(np.array([[3, 1]], np.uint8), start=3)
        >>> keys, positions = nearest.result()
        >>> keys.tolist(), positions.tolist()
        ([[1, 1]], [[1, 4]])
    """

    def __init__(self, num_queries: int, k: int, dtype: type[np.float32] | type[np.unsignedinteger]) -> None:
        worst = np.inf if issubclass(dtype, np.floating) else np.iinfo(dtype).max
        self._keys = np.full((num_queries, k), worst, dtype)
        self._positions = np.full((num_queries, k), -1, np.int64)
        # With more candidates they are sorted, or a block is taken in halves.
        self._many = num_queries * max(k, FEW)
        self._waiting: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Keys, rising, and positions, int64, both of the shape (Q, k)."""
        self._sort()
        return self._keys, self._positions

    def add(self, keys: np.ndarray, start: int, lowest: np.ndarray | None = None) -> None:
        """Take in some items.

        Args:
            keys: Of the items from position ``start`` on, shape (Q, n).
            start: Position of the first of them.
            lowest: The smallest key of each run of as many items, shape (Q, runs), if it is known: then only the
                runs that hold a candidate are looked through.
        """
        size = keys.shape[1]
        found = self._find(keys, lowest)
        if found.size > self._many:
            # What the first half brings leaves little of the second.
            half = size // 2
            self.add(keys[:, :half], start)
            self._sort()
            self.add(keys[:, half:], start + half)
        elif found.size:
            rows, columns = np.divmod(found, size)
            self._waiting.append((rows, keys[rows, columns], columns + start))
            if sum(len(rows) for rows, _, _ in self._waiting) > self._many:
                self._sort()

    def _find(self, keys: np.ndarray, lowest: np.ndarray | None) -> np.ndarray:
        """Flat indices of the candidates, rising."""
        worst = self._keys[:, -1:]
        if lowest is None:
            return np.flatnonzero(keys < worst)
        size = keys.size // lowest.size
        runs = np.flatnonzero(lowest < worst)
        looked_through = keys.reshape(-1, size)[runs] < worst[runs // lowest.shape[1]]
        which, inside = np.divmod(np.flatnonzero(looked_through), size)
        return runs[which] * size + inside

    def _sort(self) -> None:
        """Sort the candidates among those kept, and keep the first k of each query."""
        if not self._waiting:
            return
        num_queries, k = self._keys.shape
        kept = np.repeat(np.arange(num_queries), k), self._keys.ravel(), self._positions.ravel()
        rows, keys, positions = map(np.concatenate, zip(kept, *self._waiting, strict=True))
        self._waiting.clear()
        # One stable sort by query and key; equal ones stay in the order in which they came.
        order = (rows << 32 | _as_integers(keys)).argsort(kind="stable")
        counts = np.bincount(rows, minlength=num_queries)
        first = (np.cumsum(counts) - counts)[:, None] + np.arange(k)
        chosen = order[first]
        self._keys, self._positions = keys[chosen], positions[chosen]


def _as_integers(keys: np.ndarray) -> np.ndarray:
    """Integers from 0 to 2^32 in the order of the keys; those of negative floats have their bits flipped."""
    if keys.dtype != np.float32:
        return keys.astype(np.int64)
    bits = (keys + np.float32(0)).view(np.int32)  # -0.0 becomes 0.0, which it equals.
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64) + 2**31
