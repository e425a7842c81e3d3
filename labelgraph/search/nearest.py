"""The k smallest keys of each query, collected in blocks."""

from __future__ import annotations

import numpy as np

FEW = 64  # Number of candidates per query that may wait, even for a small k.
GROUP = 64  # Number of items of a group, whose smallest key bounds the k-th of the first block.


class Nearest:
    """The k smallest keys of each query, in ascending order of the key, then of the position.

    Blocks are added in the order of the database. An item is a candidate only if its key is below the k-th key of the
    last sort; an item with an equal key has a later position, and is never among the first k. Thus few items are
    sorted, and rarely.

    Args:
        num_queries: Number of queries Q.
        k: Number of keys to keep per query; all places are filled after k items.
        dtype: Type of the keys, float32 or unsigned of up to 32 bits. Infinity and the largest unsigned number stand
            for an empty place, and must not be keys.

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
        self._empty = np.inf if issubclass(dtype, np.floating) else np.iinfo(dtype).max
        self._keys = np.full((num_queries, k), self._empty, dtype)
        self._positions = np.full((num_queries, k), -1, np.int64)
        self._worst, self._full = self._keys[:, -1:].copy(), False  # Next to each other, to be compared fast.
        # With more candidates than this, they are sorted, or a block is split in half.
        self._many = num_queries * max(k, FEW)
        self._waiting: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._num_waiting = 0

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the keys in ascending order, and their positions, int64, both of the shape (Q, k)."""
        self._sort()
        return self._keys, self._positions

    def add(self, keys: np.ndarray, start: int, lowest: np.ndarray | None = None) -> None:
        """Add a block of items.

        Args:
            keys: Keys of the items from position ``start`` on, shape (Q, n).
            start: Position of the first item of the block.
            lowest: Smallest key of each run of equally many items, shape (Q, runs), if known; only runs with a
                candidate are then compared key by key.
        """
        size = keys.shape[1]
        first = not self._full
        worst = self._bound(keys) if first else self._worst
        candidates = _find(keys, worst, lowest)
        if candidates.size > self._many:
            # After the first half is sorted, the second half has few candidates.
            half = size // 2
            self.add(keys[:, :half], start)
            self._sort()
            self.add(keys[:, half:], start + half)
        elif candidates.size:
            rows, columns = np.divmod(candidates, size)
            self._waiting.append((rows, keys[rows, columns], columns + start))
            self._num_waiting += len(rows)
            if first or self._num_waiting > self._many:
                self._sort()

    def _bound(self, keys: np.ndarray) -> np.ndarray:
        """Return a key above the k-th smallest of each query, (Q, 1); k groups of items have a smaller one each."""
        groups, worst = keys.shape[1] // GROUP, self._worst
        k = self._keys.shape[1]
        if groups < k:
            return worst
        smallest = keys[:, : groups * GROUP].reshape(len(keys), GROUP, groups).min(1)
        kth = np.partition(smallest, k - 1, axis=1)[:, k - 1 : k]
        above = np.nextafter(kth, np.float32(np.inf)) if keys.dtype == np.float32 else kth + 1
        return np.minimum(worst, above)

    def _sort(self) -> None:
        """Sort the candidates together with the kept keys, and keep the first k of each query."""
        if not self._waiting:
            return
        num_queries, k = self._keys.shape
        current = np.repeat(np.arange(num_queries), k), self._keys.ravel(), self._positions.ravel()
        rows, keys, positions = map(np.concatenate, zip(current, *self._waiting, strict=True))
        self._waiting.clear()
        self._num_waiting = 0
        # One stable sort by query and key; equal keys stay in the order of their positions.
        order = (rows << 32 | _as_integers(keys)).argsort(kind="stable")
        counts = np.bincount(rows, minlength=num_queries)
        first = (np.cumsum(counts) - counts)[:, None] + np.arange(k)
        chosen = order[first]
        self._keys, self._positions = keys[chosen], positions[chosen]
        self._worst = self._keys[:, -1:].copy()
        self._full = not (self._worst == self._empty).any()


def _find(keys: np.ndarray, worst: np.ndarray, lowest: np.ndarray | None) -> np.ndarray:
    """Return the flat indices of the keys below the worst of their query, in ascending order."""
    if lowest is None:
        return np.flatnonzero(keys < worst)
    size = keys.size // lowest.size
    runs = np.flatnonzero(lowest < worst)
    looked_through = keys.reshape(-1, size).take(runs, axis=0) < worst[runs // lowest.shape[1]]
    which, inside = np.divmod(np.flatnonzero(looked_through), size)
    return runs[which] * size + inside


def _as_integers(keys: np.ndarray) -> np.ndarray:
    """Map keys to integers from 0 to 2^32 in the same order; for negative floats, the bits are flipped."""
    if keys.dtype != np.float32:
        return keys.astype(np.int64)
    bits = (keys + np.float32(0)).view(np.int32)  # -0.0 becomes 0.0, because they are equal as floats.
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64) + 2**31
