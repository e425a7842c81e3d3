"""The distinct rows of a matrix."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

DIGEST = 16  # Bytes of a hash; with 16 bytes, two different rows practically never have the same hash.


class DistinctRows:
    """Numbers the distinct rows of a matrix, in the order in which they are added; equal rows have the same number.

    Example:
        >>> import numpy as np
        >>> from labelgraph.search.distinct import DistinctRows
        >>> distinct = DistinctRows()
        >>> distinct.add(np.array([[5], [7], [5]])), distinct.add(np.array([[7], [9]]))
        (array([0, 1]), array([1]))
        >>> distinct.spread(np.array([[0.9, 0.3]]), np.array([[1, 0]]), 4)
        (array([[0.9, 0.9, 0.3, 0.3]]), array([[1, 3, 0, 2]]))
    """

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self._number_of = np.empty(0, np.int64)
        self._members: tuple[np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, rows: np.ndarray) -> np.ndarray:
        """Add rows.

        Returns:
            Positions of the first row of each new number, in ascending order.
        """
        before, numbers = len(self), self._numbers
        assigned = [numbers.setdefault(blake2b(row, digest_size=DIGEST).digest(), len(numbers)) for row in rows]
        added = np.array(assigned, np.int64)
        self._number_of = np.concatenate([self._number_of, added])
        self._members = None
        first = np.unique(added, return_index=True)
        return first[1][first[0] >= before]

    def spread(self, scores: np.ndarray, numbers: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Replace each number by the positions of all its rows.

        Args:
            scores: Scores of the numbers, shape (Q, M).
            numbers: Distinct numbers for each query, shape (Q, M); -1 for no number.
            k: Number of positions to return.

        Returns:
            Scores and positions, both of the shape (Q, k); the position is -1 where the rows do not fill k places.
        """
        start, members = self._grouped()
        all_scores = np.zeros((len(numbers), k), scores.dtype)
        positions = np.full((len(numbers), k), -1, np.int64)
        for row, row_numbers in enumerate(numbers):
            valid = (row_numbers >= 0) & (row_numbers < len(self))
            sizes = np.diff(start)[row_numbers[valid]]
            before = np.cumsum(sizes) - sizes
            count = min(k, int(sizes.sum()))
            place = np.arange(count)
            which = np.searchsorted(before, place, side="right") - 1
            positions[row, :count] = members[start[row_numbers[valid][which]] + place - before[which]]
            all_scores[row, :count] = scores[row][valid][which]
        return all_scores, positions

    def _grouped(self) -> tuple[np.ndarray, np.ndarray]:
        """Return all positions, sorted by number, and where each number starts among them."""
        if self._members is None:
            counts = np.bincount(self._number_of, minlength=len(self))
            self._members = np.concatenate([[0], counts.cumsum()]), self._number_of.argsort(kind="stable")
        return self._members
