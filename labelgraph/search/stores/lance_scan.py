"""Exact search in a table of LanceDB, whose vectors are read block by block and compared as those in memory are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch

from labelgraph._core.embeddings import Embeddings
from labelgraph.search.exact_neighbours import find
from labelgraph.search.stores.lance_rows import matrix_of

BLOCK_BYTES, BLOCK_ROWS = 2**23, 2**16  # Small blocks would cost more to read than to compare.
ROW_ID = "_rowid"


Block = tuple[Embeddings, np.ndarray]


def nearest_rows(blocks: Iterable[Block], queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest rows of a table by inner product, or by Hamming distance for codes.

    LanceDB's own comparison takes twice as long for a batch of vectors, and forty times as long for codes.

    Args:
        blocks: Vectors of rows and their ids, from `read_blocks`.
        queries: Vectors of float32, or codes of uint8, (Q, D).
        k: Number of rows.

    Returns:
        Negative inner products or Hamming distances, ascending, and ids of the R <= k rows of each query, (Q, R).
    """
    codes, best = queries.dtype == np.uint8, None
    asked = torch.from_numpy(np.ascontiguousarray(queries))
    for vectors, rows in blocks:
        scores, places = find(vectors._with(asked), vectors, k)
        found = scores.numpy() if codes else -scores.numpy(), rows[places.numpy()]
        best = found if best is None else _nearer(best, found, k)
    if best is None:
        return np.zeros((len(queries), 0), np.int32 if codes else np.float32), np.zeros((len(queries), 0), np.int64)
    return best


def _embeddings(vectors: np.ndarray) -> Embeddings:
    return Embeddings(torch.from_numpy(vectors), "hamming" if vectors.dtype == np.uint8 else "dot")


def take(table: Any, rows: np.ndarray, columns: list[str]) -> Any:
    """Read columns of rows by their distinct ids, in ascending order."""
    taken = table.take_row_ids(rows.tolist()).select(columns).with_row_id().to_arrow()
    return taken.take(np.argsort(taken[ROW_ID].to_numpy()))


def read_blocks(table: Any, side: str, where: str) -> Iterator[Block]:
    """Read blocks of vectors and the ids of their rows, one by one.

    Args:
        table: A version of a table, which does not change meanwhile.
        side: Column of the vectors or codes.
        where: Condition in SQL; empty for all rows.
    """
    width = table.schema.field(side).type
    rows = min(BLOCK_ROWS, max(1, BLOCK_BYTES // (width.list_size * width.value_type.bit_width // 8)))
    asked = table.search().select([side]).with_row_id(True).limit(max(1, table.count_rows()))
    held: list[Any] = []  # Each file has batches of its own, which may be small.
    for batch in (asked.where(where) if where else asked).to_batches(rows):
        held.append(batch)
        if sum(map(len, held)) >= rows:
            yield _joined(held, side)
            held = []
    if any(map(len, held)):
        yield _joined(held, side)


def _joined(batches: list[Any], side: str) -> Block:
    numbers = np.concatenate([batch[ROW_ID].to_numpy() for batch in batches]).astype(np.int64)
    return _embeddings(np.concatenate([matrix_of(batch[side]) for batch in batches])), numbers


def _nearer(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray], k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest k of two results; equally near ones in the order of the rows."""
    distances, rows = (np.concatenate(parts, 1) for parts in zip(first, second, strict=True))
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, order, 1), np.take_along_axis(rows, order, 1)
