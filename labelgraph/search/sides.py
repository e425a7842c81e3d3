"""The images and texts of a searcher, which are changed together, and searched separately or together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from labelgraph._core.names import SIDES
from labelgraph.search.fusion import reciprocal_rank_fusion
from labelgraph.search.indexes import Index
from labelgraph.search.items import Items
from labelgraph.search.neighbours import Neighbours
from labelgraph.search.query_vectors import Query

LEAST_DEPTH, DEPTH_PER_RESULT = 1000, 10  # Number of results of each ranking that are fused.
Filters = tuple[list[int] | None, list[str] | None]


class Sides(Mapping[str, Items]):
    """The items of a searcher, by side.

    Args:
        build: Function that returns an empty index.
        num_labels: Number of labels C.
    """

    def __init__(self, build: Callable[[], Index], num_labels: int) -> None:
        self._items = {side: Items(build(), num_labels) for side in SIDES}

    def __getitem__(self, side: str) -> Items:
        return self._items[side]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def add(self, ids: Sequence[str], titles: Sequence[str], vectors: Mapping[str, Tensor], labels: Tensor) -> None:
        """Append items to one side or both; after an error, neither side has changed.

        Raises:
            ValueError: If a side already has an id, or the vectors are not valid for the index.
        """
        for side, rows in vectors.items():
            if held := next((each for each in ids if each in self[side]), None):
                raise ValueError(f"'ids' must be new among the {side}s (got {held!r}, which the searcher already has)")
            self[side].index.check(side, rows)
        added = []
        try:
            for side, rows in vectors.items():
                self[side].add(ids, titles, rows, labels)
                added.append(side)
        except BaseException:
            for side in added:
                self[side].remove(ids)
            raise

    def remove(self, ids: Sequence[str]) -> None:
        """Remove items from both sides.

        Raises:
            ValueError: If neither side has an id.
        """
        for each in ids:
            if not any(each in items for items in self.values()):
                raise ValueError(f"'ids' must be ids of items of the searcher (got {each!r})")
        for items in self.values():
            items.remove(ids)

    def like(self, ids: list[str]) -> Query:
        """Return items as queries: their images, or if an item has no image, their texts.

        Raises:
            ValueError: If neither side has all of the items.
        """
        for side in SIDES:
            if ids and all(each in self[side] for each in ids):
                return Query(side, self[side].vectors(ids), other_than=frozenset(ids))
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
        return replace(fused, titles=[[title_of.get(each, each) for each in row] for row in fused.ids])

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Return the content of both sides for `restore`; later changes do not affect it."""
        return {side: items.snapshot() for side, items in self.items()}

    def restore(self, snapshot: Mapping[str, Mapping[str, Any]]) -> None:
        """Set the content from a `snapshot`; errors are those of `Items.restore`."""
        for side, items in self.items():
            items.restore(**snapshot[side])


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
