"""The images and texts of a searcher, which are changed together, and searched separately or together."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from labelgraph._core.names import SIDES
from labelgraph.search.blocks import Block
from labelgraph.search.fusion import reciprocal_rank_fusion
from labelgraph.search.neighbours import Neighbours
from labelgraph.search.query_vectors import Query

LEAST_DEPTH, DEPTH_PER_RESULT = 1000, 10  # Number of results of each ranking that are fused.
Filters = tuple[list[int] | None, list[str] | None]


class SideItems(Protocol):
    """The items with one side, as `Sides` searches them; `Items` documents the methods."""

    def __len__(self) -> int: ...

    def __contains__(self, each: str) -> bool: ...

    def search(self, query: Tensor, k: int, columns: list[int] | None, ids: Iterable[str] | None) -> Neighbours:
        """Find the nearest items that pass the filters."""

    def vectors(self, ids: Iterable[str]) -> Tensor:
        """Return the vectors or codes of items."""

    def captioned(
        self, texts: Sequence[str], k: int, columns: list[int] | None, ids: Iterable[str] | None
    ) -> list[Any]:
        """Return the ids of the items with the best captions for each text."""

    def titles_of(self, ids: Iterable[str]) -> dict[str, str]:
        """Return the titles of items, by id."""

    def caption_words(self, words: Iterable[str]) -> list[str]:
        """Return those of some words that captions have."""


@dataclass(frozen=True)
class Entry:
    """What is known of an item, besides its vectors.

    Args:
        id: Its id.
        title: Its title; the id if it has none.
        columns: Columns of its labels.
        sides: Its sides, of ``"image"`` and ``"text"``.
    """

    id: str
    title: str
    columns: tuple[int, ...]
    sides: tuple[str, ...]


class Sides(Mapping[str, SideItems]):
    """The items of a searcher, by side; subclasses keep them in memory or in a database.

    Args:
        items: The items of each side.

    Attributes:
        block_rows: Number of items that `fill` takes at a time; None for all at once.
        address: Address of the database; None in memory.
    """

    block_rows: ClassVar[int | None] = None
    address: str | None = None

    def __init__(self, items: Mapping[str, SideItems]) -> None:
        self._items = items

    def __getitem__(self, side: str) -> SideItems:
        return self._items[side]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def count(self, side: str) -> int:
        """Return the number of items of a side."""
        return len(self[side])

    @abstractmethod
    def fill(self, blocks: Iterable[Block]) -> None:
        """Replace all items."""

    @abstractmethod
    def add(self, ids: Sequence[str], titles: Sequence[str], vectors: Mapping[str, Tensor], labels: Tensor) -> None:
        """Append items to one side or both; after an error, neither side has changed.

        Raises:
            ValueError: If a side already has an id, or the vectors are not valid for the index.
        """

    @abstractmethod
    def upsert(self, ids: Sequence[str], titles: Sequence[str], vectors: Mapping[str, Tensor], labels: Tensor) -> None:
        """Append items to one side or both, in place of items with the same ids on these sides."""

    @abstractmethod
    def remove(self, ids: Sequence[str]) -> None:
        """Remove items from both sides.

        Raises:
            ValueError: If neither side has an id.
        """

    @abstractmethod
    def entries(self) -> Iterator[Entry]:
        """Return all items: first those with an image, then those with only a text."""

    @abstractmethod
    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Return the content of both sides for `restore`; later changes do not affect it."""

    @abstractmethod
    def restore(self, snapshot: Mapping[str, Mapping[str, Any]]) -> None:
        """Set the content from a `snapshot`."""

    def like(self, ids: list[str]) -> Query:
        """Return items as queries: their images, or if an item has no image, their texts.

        Raises:
            ValueError: If neither side has all of the items, or another process removes one at the same moment.
        """
        for side in SIDES:
            if ids and all(each in self[side] for each in ids):
                try:
                    return Query(side, self[side].vectors(ids), other_than=frozenset(ids))
                except KeyError as error:
                    raise ValueError("'like' must be ids of items of the searcher "
                                     f"(got {error.args[0]!r}, which was just removed)") from None  # fmt: skip
        raise ValueError(
            f"'like' must be ids of items that all have an image, or all a text (got {', '.join(ids) or 'none'})"
        )

    def search(self, query: Query, k: int, sides: Sequence[str], lexical: bool | None, filters: Filters) -> Neighbours:
        """Search one side, or fuse the rankings of several searches.

        Captions are searched for all texts if ``lexical`` is true, for none if it is false, and by default for texts
        with an unknown word that a caption has, and then only for these words.
        """
        in_captions = self._in_captions(query, sides, lexical)
        _check_known(query, in_captions)
        if any(in_captions) or len(sides) > 1:
            return self._fused(query, k, sides, in_captions, filters)
        return _without(self[sides[0]].search(query.vectors, k + len(query.other_than), *filters), query, k)

    def caption_words(self, unknown: Sequence[Sequence[str]], sides: Sequence[str]) -> list[list[str]]:
        """Return the unknown words of each text that captions of the searched items have."""
        items = self[_captioned(sides)]
        return [items.caption_words(words) if words else [] for words in unknown]

    def _in_captions(self, query: Query, sides: Sequence[str], lexical: bool | None) -> list[str]:
        """Return what captions are searched for, for each query: its unknown words, or the whole text; or nothing."""
        if lexical is None and query.unknown:
            return list(map(" ".join, self.caption_words(query.unknown, sides)))
        if lexical and not query.texts:
            raise ValueError("'lexical' needs 'text' as words (got another query)")
        if lexical and "text" not in sides:
            raise ValueError("'lexical' needs 'within' to be 'texts' or 'both' (got 'pictures')")
        return list(query.texts) if lexical else [""] * len(query.vectors)

    def _fused(
        self, query: Query, k: int, sides: Sequence[str], in_captions: Sequence[str], filters: Filters
    ) -> Neighbours:
        """Fuse several rankings; a text without a known word is ranked only by the captions."""
        depth = max(LEAST_DEPTH, DEPTH_PER_RESULT * k) + len(query.other_than)
        results = [_without(self[side].search(query.vectors, depth, *filters), query, depth) for side in sides]
        rankings, weights = [each.ids for each in results], [[1.0] * len(query.vectors) for _ in results]
        if any(in_captions):
            # A text that is not searched in captions has scores as if there were no ranking by captions.
            alone = (len(sides) + 1) / len(sides)
            both = zip(query.known, in_captions, strict=True)
            weights = [[float(known) if words else alone for known, words in both]] * len(sides)
            rankings.append(self[_captioned(sides)].captioned(in_captions, depth, *filters))
            weights.append([1.0] * len(in_captions))
        fused = reciprocal_rank_fusion(rankings, k, weights)
        title_of: dict[str, str] = {}
        for part in results:
            for ids, titles in zip(part.ids, part.titles, strict=True):
                title_of.update(zip(ids, titles, strict=True))
        if captioned := {each for row in fused.ids for each in row} - title_of.keys():
            title_of.update(self[_captioned(sides)].titles_of(captioned))
        return replace(fused, titles=[[title_of.get(each, each) for each in row] for row in fused.ids])


def _captioned(sides: Sequence[str]) -> str:
    """Return the side whose captions are searched."""
    return "text" if "text" in sides else sides[0]


def _check_known(query: Query, in_captions: Sequence[str]) -> None:
    for place, text in enumerate(query.texts):
        if not (query.known[place] or in_captions[place]):
            raise ValueError(f"'text' must have a word that the model knows (got {text!r})")


def _without(neighbours: Neighbours, query: Query, k: int) -> Neighbours:
    """Return the first k results, without the items that are the queries."""
    if not query.other_than:
        return neighbours
    places = [[place for place, each in enumerate(row) if each not in query.other_than][:k] for row in neighbours.ids]
    ids, titles = (
        [[row[place] for place in chosen] for row, chosen in zip(names, places, strict=True)]
        for names in (neighbours.ids, neighbours.titles)
    )
    scores = neighbours.scores.gather(1, torch.tensor(places, dtype=torch.long).view(len(places), -1))
    return Neighbours(ids, scores, titles, neighbours.score_name)
