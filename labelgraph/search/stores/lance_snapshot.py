"""One version of the items in LanceDB, and what was read of it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from labelgraph._core.embeddings import Embeddings
from labelgraph.search.stores.engine import Filter
from labelgraph.search.stores.lance_columns import Columns, read_columns
from labelgraph.search.stores.lance_rows import condition, has_side, matrix_of
from labelgraph.search.stores.lance_scan import Block, nearest_rows, read_blocks, take

HELD_BYTES = 2**27  # Of the vectors of each side, and of ids, titles and labels; they stay until the items change.
ROWS_PER_SEARCH = 10_000  # To read the results of a search takes as long as to read so many rows at once.

Taken = tuple[list[str], list[str | None], np.ndarray | None]


class Snapshot:
    """One version of the items, which does not change.

    Vectors of up to 128 MiB a side, and ids, titles and labels of up to 128 MiB, stay in memory once they were read
    for a search. To read them takes several times as long as to compare vectors with a few queries.

    Args:
        table: Table that keeps its version.
        stamp: Its stamp, taken before the table was opened.
    """

    def __init__(self, table: Any, stamp: object) -> None:
        self.table, self.version, self.stamp = table, table.version, stamp
        self.schema, self.rows = table.schema, table.count_rows()
        self._counts: dict[str, int] = {}
        self._vectors: dict[str, Block] = {}
        self._columns: Columns | None = None
        self._columns_fit = True
        self._taken = 0  # Number of searches whose results were read.

    def count(self, side: str) -> int:
        """Return the number of items with a side."""
        if side not in self._counts:
            self._counts[side] = self.table.count_rows(has_side(side))
        return self._counts[side]

    def where(self, side: str, chosen: Filter) -> str:
        """Return the condition of items with a side that pass a filter in SQL; empty if all items do."""
        of_side = "" if self.count(side) == self.rows else has_side(side)
        return " AND ".join(filter(None, (of_side, condition(chosen))))

    def holds(self, side: str, chosen: Filter) -> bool:
        """Return whether all that a search compares may stay in memory."""
        return self._fits(side) and (not chosen or self._all_columns() is not None)

    def nearest(self, side: str, queries: np.ndarray, k: int, chosen: Filter) -> tuple[np.ndarray, np.ndarray]:
        """Find the nearest rows that pass a filter, see `nearest_rows`."""
        if not self.count(side) or not self.holds(side, chosen):
            return nearest_rows(read_blocks(self.table, side, self.where(side, chosen)), queries, k)
        vectors, rows = self._all_vectors(side)
        if chosen and (columns := self._all_columns()):
            passing = columns.passing(chosen, rows)
            vectors, rows = vectors[passing], rows[passing]
        return nearest_rows([(vectors, rows)], queries, k)

    def take(self, rows: np.ndarray, side: str | None) -> tuple[Taken, np.ndarray]:
        """Read ids, titles and vectors of rows.

        Args:
            rows: Ids of rows.
            side: Side of the vectors; None without them.

        Returns:
            What was read of the distinct rows, and the place of each row among them.
        """
        distinct, places = np.unique(rows, return_inverse=True)
        columns = self._all_columns() if self.shows_rows() else None
        if columns is None or (side is not None and side not in self._vectors):
            return taken_of(take(self.table, distinct, ["id", "title", *([side] if side else [])]), side), places
        ids, titles = columns.take(distinct)
        if side is None:
            return (ids, titles, None), places
        vectors, held = self._vectors[side]
        return (ids, titles, vectors.vectors.numpy()[np.searchsorted(held, distinct)]), places

    def shows_rows(self) -> bool:
        """Return whether ids and titles of rows are in memory; they are read once searches are many enough for it."""
        self._taken += 1
        return self._taken * ROWS_PER_SEARCH > self.rows and self._all_columns() is not None

    def _fits(self, side: str) -> bool:
        kind = self.schema.field(side).type
        width = kind.list_size * kind.value_type.bit_width // 8
        return self.count(side) * (width + np.dtype(np.int64).itemsize) <= HELD_BYTES

    def _all_vectors(self, side: str) -> Block:
        """Return the vectors of a side, in the order of the ids of their rows."""
        if side not in self._vectors:
            parts, ids = zip(*read_blocks(self.table, side, self.where(side, Filter())), strict=True)
            vectors, rows = Embeddings.cat(parts), np.concatenate(ids)
            if (np.diff(rows) < 0).any():
                order = np.argsort(rows)
                vectors, rows = vectors[order], rows[order]
            self._vectors[side] = vectors, rows
        return self._vectors[side]

    def _all_columns(self) -> Columns | None:
        """Return ids, titles and labels; None if they take too much memory."""
        if self._columns is None and self._columns_fit:
            columns = read_columns(self.table, HELD_BYTES)
            self._columns, self._columns_fit = columns, columns is not None
        return self._columns


def taken_of(table: Any, side: str | None) -> Taken:
    """Return the ids, titles and vectors in a table."""
    return table["id"].to_pylist(), table["title"].to_pylist(), matrix_of(table[side]) if side else None


def stamp_of(versions: str) -> object:
    """Return the names of all versions in the folder of versions of a table, and the file of one of them.

    It changes with the version, and if a table is deleted and made again with the same version: files of versions never
    change. LanceDB itself takes fifty times as long to tell the version.

    Returns:
        The stamp; None if there is no table.
    """
    try:
        with os.scandir(versions) as entries:
            files = {entry.name: entry for entry in entries if entry.name.endswith(".manifest")}
        file = files[min(files)].stat()
    except (OSError, ValueError):
        return None
    return files.keys(), file.st_ino, file.st_mtime_ns
