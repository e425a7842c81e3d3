"""What a store needs of a database engine, and the rows that go in and out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from labelgraph._core.names import SIDES

DAMAGED = "if the store is damaged, put back a copy, or delete it and make it again by `labelgraph index`"


@dataclass(frozen=True)
class Rows:
    """Rows of a store: one row per item, with both sides of the item.

    Args:
        ids: Ids of the N items.
        titles: Titles of the items.
        labels: Columns of the labels of each item.
        sides: Sides of each item: 1 for an image, 2 for a text, 3 for both.
        vectors: Vectors by side, (N, D), zero where the item lacks the side. Empty if the vectors were not read.
    """

    ids: list[str]
    titles: list[str]
    labels: list[list[int]]
    sides: list[int]
    vectors: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Hits:
    """The nearest items of one query, the nearest first.

    Args:
        ids: Ids of the items.
        titles: Titles of the items.
        scores: Inner products, descending, or Hamming distances, ascending, (k,).
        vectors: Their vectors, (k, D), if they were asked for.
    """

    ids: list[str]
    titles: list[str]
    scores: np.ndarray
    vectors: np.ndarray | None


@dataclass(frozen=True)
class Shape:
    """Properties of the vectors of a store.

    Args:
        width: Number of columns D.
        codes: Whether the vectors are packed codes, uint8; otherwise float32.
        probes: Number of lists that a search of an IVF index reads; None for an exact search of all items.
    """

    width: int
    codes: bool
    probes: int | None


@dataclass(frozen=True)
class Filter:
    """Items to keep in a search; None is no filter.

    Args:
        columns: Columns of labels; an item needs one of them.
        ids: Ids of items.
    """

    columns: Sequence[int] | None = None
    ids: Sequence[str] | None = None

    def __bool__(self) -> bool:
        return self.columns is not None or self.ids is not None


def side_values(side: str) -> tuple[int, ...]:
    """Return the values of `Rows.sides` of items that have a side.

    Example:
        >>> from labelgraph.search.stores.engine import side_values
        >>> side_values("image"), side_values("text")
        ((1, 3), (2, 3))
    """
    return (1 << SIDES.index(side), 3)


class Engine(Protocol):
    """A database that holds the rows of one store, and the model whose vectors they are.

    Attributes:
        address: Address of the store, as the user gives it.
        takes_codes: Whether the engine compares packed codes by Hamming distance. Otherwise codes become vectors of -1
            and 1.
    """

    address: str
    takes_codes: bool

    def model_key(self) -> str | None:
        """Return the key of the model, or None if there is no store at the address."""

    def model(self) -> bytes:
        """Return the model, as `replace` got it."""

    def open(self, shape: Shape) -> None:
        """Prepare for reading and writing; the store exists."""

    def replace(self, key: str, model: bytes, shape: Shape, blocks: Iterable[Rows]) -> None:
        """Create the store, or replace it atomically; the blocks are read one by one."""

    def lock(self) -> AbstractContextManager[object]:
        """Keep other writers of the same store out, as far as the engine needs this."""

    def version(self) -> object:
        """Return a value that changes when the items change."""

    def count(self, side: str) -> int:
        """Return the number of items with a side."""

    def read(self, ids: Sequence[str]) -> Rows:
        """Return the rows of those of the ids that the store has, in any order."""

    def write(self, rows: Rows, new: bool) -> None:
        """Write rows in one transaction, in place of rows with the same ids; ``new`` if there are none."""

    def delete(self, ids: Sequence[str]) -> None:
        """Delete the rows with these ids."""

    def search(
        self, side: str, queries: np.ndarray, k: int, chosen: Filter, *, exact: bool, vectors: bool
    ) -> list[Hits]:
        """Return at most k items of one side for each query, by inner product or Hamming distance.

        Args:
            side: Side of the items.
            queries: Vectors (Q, D).
            k: Number of items.
            chosen: Filter.
            exact: Whether to compare each query with every item that passes the filter.
            vectors: Whether to return the vectors of the items.
        """

    def scan(self, chosen: Filter) -> Iterator[Rows]:
        """Return all rows that pass the filter, without their vectors."""


Opener = Callable[[str], Engine]
