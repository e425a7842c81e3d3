"""What a searcher keeps of its items, and a lock for readers and writers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Condition

import torch
from torch import Tensor

from labelgraph.search.indexes import Index
from labelgraph.search.neighbours import Neighbours


class SharedLock:
    """Many may read at once; who writes is alone. Readers who come while someone waits to write wait too."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._readers = 0
        self._writers = 0

    @contextmanager
    def read(self) -> Iterator[None]:
        """Hold the lock with other readers; not to be taken twice by one thread."""
        with self._changed:
            self._changed.wait_for(lambda: not self._writers)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextmanager
    def write(self) -> Iterator[None]:
        """Hold the lock alone."""
        with self._changed:
            self._writers += 1
            try:
                self._changed.wait_for(lambda: not self._readers)
                yield
            finally:
                self._writers -= 1
                self._changed.notify_all()


class Items:
    """Ids, titles and labels, row by row as the vectors in the index.

    Args:
        index: An empty index.
        num_labels: Number of labels C.

    Attributes:
        ids: The users' ids.
        titles: What to show of the items.
        labels: Multi-hot, bool, shape (N, C).
    """

    def __init__(self, index: Index, num_labels: int) -> None:
        self.index = index
        self.ids: list[str] = []
        self.titles: list[str] = []
        self.labels = torch.zeros(0, num_labels, dtype=torch.bool)
        self._rows: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, each: str) -> bool:
        return each in self._rows

    def add(self, ids: Sequence[str], titles: Sequence[str], vectors: Tensor, labels: Tensor) -> None:
        """Append items, whose ids must be new."""
        self.index.add(vectors)
        self._set([*self.ids, *ids], [*self.titles, *titles], torch.cat([self.labels, labels]))

    def remove(self, ids: Iterable[str]) -> None:
        """Take out the items that are here."""
        rows = [self._rows[each] for each in ids if each in self._rows]
        if not rows:
            return
        self.index.remove(torch.tensor(rows))
        gone = set(rows)
        kept = [row for row in range(len(self)) if row not in gone]
        self._set([self.ids[row] for row in kept], [self.titles[row] for row in kept], self.labels[kept])

    def search(self, query: Tensor, k: int, columns: list[int] | None, ids: Iterable[str] | None) -> Neighbours:
        """Find the nearest among the items with one of some labels, by column, and with one of some ids."""
        among = None if columns is None and ids is None else self._matching(columns, ids)
        scores, positions = self.index.search(query, k, among)
        rows = positions.tolist()
        found, titles = ([[names[place] for place in row] for row in rows] for names in (self.ids, self.titles))
        return Neighbours(found, scores, titles)

    def restore(self, ids: list[str], titles: list[str], labels: Tensor) -> None:
        """Take the ids, titles and labels that belong to a restored index.

        Raises:
            ValueError: If they do not fit.
        """
        if not all(isinstance(each, str) for each in ids) or len(set(ids)) != len(ids) or len(ids) != len(self.index):
            raise ValueError(f"expected {len(self.index)} distinct ids (got {len(ids)})")
        if not all(isinstance(each, str) for each in titles) or len(titles) != len(ids):
            raise ValueError(f"expected {len(ids)} titles (got {len(titles)})")
        if labels.dtype != torch.bool or labels.shape != (len(ids), self.labels.shape[1]):
            wanted = (len(ids), self.labels.shape[1])
            raise ValueError(f"expected bool labels of the shape {wanted} (got {labels.dtype}, {tuple(labels.shape)})")
        self._set(ids, titles, labels)

    def _set(self, ids: list[str], titles: list[str], labels: Tensor) -> None:
        self.ids, self.titles, self.labels = ids, titles, labels
        self._rows = {each: row for row, each in enumerate(ids)}

    def _matching(self, columns: list[int] | None, ids: Iterable[str] | None) -> Tensor:
        passed = torch.ones(len(self), dtype=torch.bool)
        if columns is not None:
            passed &= self.labels[:, columns].any(dim=1)
        if ids is not None:
            named = torch.zeros(len(self), dtype=torch.bool)
            named[[self._rows[each] for each in ids if each in self._rows]] = True
            passed &= named
        return passed.nonzero().flatten()
