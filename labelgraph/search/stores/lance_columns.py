"""Ids, titles and labels of all items of one version in LanceDB, in memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from labelgraph.search.stores.engine import Filter
from labelgraph.search.stores.lance_scan import ROW_ID

NAMES = ["id", "title", "labels"]
BATCH = 2**13


class Columns:
    """Ids, titles and labels of items; they are found by the ids of their rows.

    Args:
        table: Columns `NAMES` and the ids of the rows, as an Arrow table.
    """

    def __init__(self, table: Any) -> None:
        rows = table[ROW_ID].to_numpy().astype(np.int64)
        if (np.diff(rows) < 0).any():  # Otherwise the table is not copied once more.
            order = np.argsort(rows)
            rows, table = rows[order], table.take(order)
        self._rows = rows
        columns = table.select(NAMES).combine_chunks().to_batches()[0]
        self._ids, self._titles, self._labels = (columns[name] for name in NAMES)

    def take(self, rows: np.ndarray) -> tuple[list[str], list[str | None]]:
        """Return the ids and titles of rows."""
        places = np.searchsorted(self._rows, rows)
        return self._ids.take(places).to_pylist(), self._titles.take(places).to_pylist()

    def passing(self, chosen: Filter, rows: np.ndarray) -> np.ndarray:
        """Return the places of those of some rows, in ascending order, that pass a filter."""
        passes = np.ones(len(self._rows), bool)
        if chosen.columns is not None:
            passes &= self._labelled(chosen.columns)
        if chosen.ids is not None:
            passes &= self._named(chosen.ids)
        if len(rows) == len(self._rows):
            return np.flatnonzero(passes)
        wanted = self._rows[passes]
        places = np.searchsorted(rows, wanted)
        found = places < len(rows)
        found[found] = rows[places[found]] == wanted[found]
        return places[found]

    def _labelled(self, columns: Any) -> np.ndarray:
        lengths = self._labels.value_lengths().to_numpy()
        items = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        passes = np.zeros(len(lengths), bool)
        passes[items[np.isin(self._labels.flatten().to_numpy(), columns)]] = True
        return passes

    def _named(self, ids: Any) -> np.ndarray:
        import pyarrow as pa
        import pyarrow.compute as pc

        return pc.is_in(self._ids, value_set=pa.array(ids, pa.string())).to_numpy(zero_copy_only=False)


def read_columns(table: Any, most: int) -> Columns | None:
    """Read the columns of all items.

    Args:
        table: A version of a table, which does not change meanwhile.
        most: Largest number of bytes.

    Returns:
        The columns; None if they take more bytes, which is seen as soon as the items that were read take more on
        average.
    """
    import pyarrow as pa

    total = table.count_rows()
    read, count, size = [], 0, 0
    for batch in table.search().select(NAMES).with_row_id(True).limit(max(1, total)).to_batches(BATCH):
        read.append(batch)
        count, size = count + len(batch), size + batch.nbytes
        if size * total > most * count:
            return None
    return Columns(pa.Table.from_batches(read)) if count else None
