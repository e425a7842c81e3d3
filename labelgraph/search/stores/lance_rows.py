"""Rows of a store as Arrow tables of LanceDB, and its conditions in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from labelgraph._core.names import SIDES
from labelgraph.search.stores.engine import Filter, Rows, Shape, side_values


def schema_of(shape: Shape) -> Any:
    """Return the columns of the items; a title that is the id is null."""
    import pyarrow as pa

    vector = pa.list_(pa.uint8() if shape.codes else pa.float32(), shape.width)
    return pa.schema([("id", pa.string()), ("title", pa.string()), ("labels", pa.list_(pa.int32())),
                      ("sides", pa.int8()), *((side, vector) for side in SIDES)])  # fmt: skip


def batch_of(rows: Rows, schema: Any) -> Any:
    """Return rows as a batch of Arrow."""
    import pyarrow as pa

    titles = [None if title == each else title for title, each in zip(rows.titles, rows.ids, strict=True)]
    columns = [rows.ids, titles, rows.labels, rows.sides]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=False)]
    for side in SIDES:
        kind = schema.field(side).type
        flat = np.ascontiguousarray(rows.vectors[side]).reshape(-1)
        arrays.append(pa.FixedSizeListArray.from_arrays(pa.array(flat, kind.value_type), kind.list_size))
    return pa.record_batch(arrays, schema=schema)


def batches_of(blocks: Iterable[Rows], schema: Any, failures: list[BaseException]) -> Iterator[Any]:
    """Yield batches; an error is also appended to the failures, because Arrow raises another one in its place."""
    try:
        for rows in blocks:
            yield batch_of(rows, schema)
    except (Exception, KeyboardInterrupt) as error:
        failures.append(error)
        raise


def rows_of(table: Any, sides: Sequence[str]) -> Rows:
    """Return the rows of a table or batch, with the vectors of some sides."""
    ids = table["id"].to_pylist()
    titles = [title or each for title, each in zip(table["title"].to_pylist(), ids, strict=True)]
    vectors = {side: matrix_of(table[side]) for side in sides}
    return Rows(ids, titles, table["labels"].to_pylist(), table["sides"].to_pylist(), vectors)


def matrix_of(column: Any) -> np.ndarray:
    """Return a column of vectors, (N, D)."""
    parts = getattr(column, "chunks", [column])
    width = column.type.list_size
    matrices = [part.flatten().to_numpy(zero_copy_only=False).reshape(-1, width) for part in parts]
    return np.concatenate(matrices) if matrices else np.zeros((0, width), np.float32)


def quoted(value: str) -> str:
    """Return a string in SQL."""
    return "'" + value.replace("'", "''") + "'"


def has_side(side: str) -> str:
    """Return the condition of items that have a side in SQL."""
    return f"sides IN {side_values(side)}"


def condition(chosen: Filter) -> str:
    """Return the condition of a filter in SQL; empty without one."""
    parts = []
    if chosen.columns is not None:
        parts.append(f"array_has_any(labels, {list(chosen.columns)})" if chosen.columns else "false")
    if chosen.ids is not None:
        parts.append(f"id IN ({', '.join(map(quoted, chosen.ids))})" if chosen.ids else "false")
    return " AND ".join(parts)
