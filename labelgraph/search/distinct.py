"""Rows of a matrix, equal ones once."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

DIGEST = 16  # Bytes: that two different rows have the same never happens.


class DistinctRows:
    """Numbers rows in the order in which they come; equal rows have one number.

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
        """Take in more rows.

        Returns:
            Which of them are new, rising: the first of each number.
        """
        before, numbers = len(self), self._numbers
        found = [numbers.setdefault(blake2b(row, digest_size=DIGEST).digest(), len(numbers)) for row in rows]
        added = np.array(found, np.int64)
        self._number_of = np.concatenate([self._number_of, added])
        self._members = None
        first = np.unique(added, return_index=True)
        return first[1][first[0] >= before]

    def spread(self, scores: np.ndarray, numbers: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Put the positions of all rows of a number in its place.

        Args:
            scores: Of the numbers, shape (Q, M).
            numbers: Distinct ones for each query; -1 for none.
            k: How many positions to give.

        Returns:
            Scores and positions, (Q, k), -1 for none.
        """
        start, members = self._grouped()
        all_scores = np.zeros((len(numbers), k), scores.dtype)
        positions = np.full((len(numbers), k), -1, np.int64)
        for row, given in enumerate(numbers):
            there = (given >= 0) & (given < len(self))
            sizes = np.diff(start)[given[there]]
            before = np.cumsum(sizes) - sizes
            count = min(k, int(sizes.sum()))
            place = np.arange(count)
            which = np.searchsorted(before, place, side="right") - 1
            positions[row, :count] = members[start[given[there][which]] + place - before[which]]
            all_scores[row, :count] = scores[row][there][which]
        return all_scores, positions

    def _grouped(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the rows of each number start in the list of all rows by number, and that list."""
        if self._members is None:
            counts = np.bincount(self._number_of, minlength=len(self))
            self._members = np.concatenate([[0], counts.cumsum()]), self._number_of.argsort(kind="stable")
        return self._members
