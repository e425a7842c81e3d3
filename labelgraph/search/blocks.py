"""Items of a data set in blocks, embedded one block after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from labelgraph._core.names import SIDES
from labelgraph.data import CrossModalData
from labelgraph.inference import encode_side
from labelgraph.methods import Method


@dataclass(frozen=True)
class Block:
    """Some items of a searcher.

    Args:
        ids: Ids of the N items.
        titles: Titles of the items.
        labels: Multi-hot labels, shape (N, C): a bool tensor, or a CSR array if there are many.
        present: Whether an item has an image and a text, bool, shape (N, 2).
        vectors: Vectors or codes by side, only of the items that have the side, in their order.
    """

    ids: list[str]
    titles: list[str]
    labels: Any
    present: Tensor
    vectors: Mapping[str, Tensor]

    def side(self, side: str) -> tuple[list[str], list[str], Any]:
        """Return the ids, titles and labels of the items that have a side."""
        rows = self.present[:, SIDES.index(side)]
        places = rows.nonzero().flatten().tolist()
        ids, titles = ([names[place] for place in places] for names in (self.ids, self.titles))
        return ids, titles, rows_of(self.labels, rows)


def embed_blocks(
    method: Method,
    data: CrossModalData,
    rows: Tensor,
    block_rows: int | None,
    batch_size: int | None = None,
    advance: Callable[[int], object] | None = None,
) -> Iterator[Block]:
    """Embed items of a data set block by block; only one block is in memory at a time.

    Args:
        method: The method, in evaluation mode.
        data: The data set.
        rows: Row numbers of the items.
        block_rows: Number of items per block; None for one block.
        batch_size: Number of images or texts to embed at a time, see `labelgraph.inference.encode`.
        advance: Function that is called after each batch with its size.
    """
    for part in rows.split(block_rows or max(1, len(rows))):
        vectors = {}
        present = torch.as_tensor(data.present[part], dtype=torch.bool)
        for column, side in enumerate(SIDES):
            held = part[present[:, column]]
            if len(held):
                vectors[side] = encode_side(method, side, data, batch_size, held, advance).vectors
        ids, titles = ([names[row] for row in part.tolist()] for names in (data.ids, data.titles))
        labels = rows_of(data.labels, part)
        yield Block(ids, titles, labels.bool() if isinstance(labels, Tensor) else labels, present, vectors)


def rows_of(labels: Any, rows: Tensor) -> Any:
    """Return some rows of labels, by row numbers or a mask, in the form of the labels: a tensor or a CSR array."""
    return labels[rows] if isinstance(labels, Tensor) else labels[rows.numpy()]
