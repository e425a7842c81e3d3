"""One version of the items in LanceDB, and what was read of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from labelgraph._core.embeddings import Embeddings
from labelgraph.search.stores.lance_rows import has_side
from labelgraph.search.stores.lance_scan import Block, nearest_rows, read_blocks

HELD_BYTES = 2**27  # Of the vectors of each side, which stay in memory until the items change.


class Snapshot:
    """One version of the items, which does not change.

    Vectors of up to 128 MiB and the ids of their rows stay in memory once they were compared. To read them takes
    several times as long as to compare them with a few queries.

    Args:
        table: Table that keeps its version.
    """

    def __init__(self, table: Any) -> None:
        self.table, self.version = table, table.version
        self.rows = table.count_rows()
        self._counts: dict[str, int] = {}
        self._held: dict[str, Block] = {}

    def count(self, side: str) -> int:
        """Return the number of items with a side."""
        if side not in self._counts:
            self._counts[side] = self.table.count_rows(has_side(side))
        return self._counts[side]

    def where(self, side: str) -> str:
        """Return the condition of items with a side in SQL; empty if all items have it."""
        return "" if self.count(side) == self.rows else has_side(side)

    def fits(self, side: str) -> bool:
        """Return whether the vectors of a side may stay in memory."""
        if side in self._held:
            return True
        kind = self.table.schema.field(side).type
        width = kind.list_size * kind.value_type.bit_width // 8
        return self.count(side) * (width + np.dtype(np.int64).itemsize) <= HELD_BYTES

    def nearest(self, side: str, queries: np.ndarray, k: int, where: str) -> tuple[np.ndarray, np.ndarray]:
        """Find the nearest rows, see `nearest_rows`; ``where`` is the condition of a filter, or empty."""
        condition = " AND ".join(filter(None, (self.where(side), where)))
        if where or not self.count(side) or not self.fits(side):
            return nearest_rows(read_blocks(self.table, side, condition), queries, k)
        if side not in self._held:
            vectors, rows = zip(*read_blocks(self.table, side, condition), strict=True)
            self._held[side] = Embeddings.cat(vectors), np.concatenate(rows)
        return nearest_rows([self._held[side]], queries, k)
