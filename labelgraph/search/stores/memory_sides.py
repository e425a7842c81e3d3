"""The items of a searcher in memory, with an index for each side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any

from torch import Tensor

from labelgraph._core.multi_hot import item_labels
from labelgraph._core.names import SIDES
from labelgraph.search.blocks import Block
from labelgraph.search.indexes import Index
from labelgraph.search.items import Items
from labelgraph.search.searcher_folder import SavedSide
from labelgraph.search.sides import Entry, Sides


class _Held(Mapping[str, Items]):
    """Items by side; those of a large side on disk are read when they are first used."""

    def __init__(self, items: Mapping[str, Items]) -> None:
        self._items, self._reading = items, Lock()
        self.later: dict[str, SavedSide] = {}

    def __getitem__(self, side: str) -> Items:
        if side in self.later:
            with self._reading:  # Several threads search at the same time.
                if side in self.later:
                    self.later[side].restore(self._items[side])
                    del self.later[side]
        return self._items[side]

    def count(self, side: str) -> int:
        """Return the number of items of a side, without reading it."""
        later = self.later.get(side)
        return len(self._items[side] if later is None else later.ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


class MemorySides(Sides):
    """Items in memory.

    Args:
        build: Function that returns an empty index.
        num_labels: Number of labels C.
    """

    def __init__(self, build: Callable[[], Index], num_labels: int) -> None:
        self._held = _Held({side: Items(build(), num_labels) for side in SIDES})
        super().__init__(self._held)

    def count(self, side: str) -> int:
        """Return the number of items of a side, see `Sides.count`."""
        return self._held.count(side)

    def fill(self, blocks: Iterable[Block]) -> None:
        """Add items to the empty sides, see `Sides.fill`."""
        for block in blocks:
            for side, vectors in block.vectors.items():
                ids, titles, labels = block.side(side)
                self._held[side].add(ids, titles, vectors, labels)

    def add(self, ids: Sequence[str], titles: Sequence[str], vectors: Mapping[str, Tensor], labels: Tensor) -> None:
        """Append items, see `Sides.add`."""
        for side, rows in vectors.items():
            if held := next((each for each in ids if each in self._held[side]), None):
                raise ValueError(f"'ids' must be new among the {side}s (got {held!r}, which the searcher already has)")
            self._held[side].index.check(side, rows)
        added = []
        try:
            for side, rows in vectors.items():
                self._held[side].add(ids, titles, rows, labels)
                added.append(side)
        except BaseException:
            for side in added:
                self._held[side].remove(ids)
            raise

    def upsert(self, ids: Sequence[str], titles: Sequence[str], vectors: Mapping[str, Tensor], labels: Tensor) -> None:
        """Append or replace items, see `Sides.upsert`."""
        for side, rows in vectors.items():
            self._held[side].index.check(side, rows)
        for side in vectors:
            self._held[side].remove(ids)
        self.add(ids, titles, vectors, labels)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove items, see `Sides.remove`."""
        sides = list(self._held.values())  # Both are read first, so that a damaged one leaves the other as it is.
        for each in ids:
            if not any(each in items for items in sides):
                raise ValueError(f"'ids' must be ids of items of the searcher (got {each!r})")
        for items in sides:
            items.remove(ids)

    def entries(self) -> Iterator[Entry]:
        """Return all items, see `Sides.entries`."""
        seen: set[str] = set()
        for items in self._held.values():
            columns: list[list[int]] = [[] for _ in items.ids]
            for row, column in zip(*(each.tolist() for each in item_labels(items.labels)), strict=True):
                columns[row].append(column)
            for each, title, own in zip(items.ids, items.titles, map(tuple, columns), strict=True):
                if each not in seen:
                    seen.add(each)
                    yield Entry(each, title, own, tuple(side for side, held in self._held.items() if each in held))

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Return the content of both sides, see `Sides.snapshot`."""
        return {side: items.snapshot() for side, items in self._held.items()}

    def open(self, sides: Mapping[str, SavedSide]) -> None:
        """Set the content from a folder; large sides are read when they are first used."""
        self._held.later = dict(sides)
        for side, stored in sides.items():
            if not stored.large:
                self._held[side]

    def restore(self, snapshot: Mapping[str, Mapping[str, Any]]) -> None:
        """Set the content; errors are those of `Items.restore`."""
        for side, items in self._held.items():
            items.restore(**snapshot[side])
