"""The two sides of a searcher's items, changed together and searched alone or together."""

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

LEAST_DEPTH, DEPTH_PER_RESULT = 1000, 10  # How much of each ranking counts where several are fused.
Filters = tuple[list[int] | None, list[str] | None]


class Sides(Mapping[str, Items]):
    """Images and texts by side.

    Args:
        build: Gives an empty index.
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
        """Append items on one side or both, or, after an error, on neither.

        Raises:
            ValueError: If an id is held already, or the index refuses the vectors.
        """
        for side, rows in vectors.items():
            if held := next((each for each in ids if each in self[side]), None):
                raise ValueError(f"'ids' must be new among the {side}s (got {held!r}, which is held)")
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
        """Take out items from both sides.

        Raises:
            ValueError: If one is on neither.
        """
        for each in ids:
            if not any(each in items for items in self.values()):
                raise ValueError(f"'ids' must be held (got {each!r}, which is not)")
        for items in self.values():
            items.remove(ids)

    def like(self, ids: list[str]) -> Query:
        """Items as queries, by their images, or if not all have one, by their texts.

        Raises:
            ValueError: If neither side has all of them.
        """
        for side in SIDES:
            if ids and all(each in self[side] for each in ids):
                return Query(side, self[side].vectors(ids), other_than=frozenset(ids))
        raise ValueError(
            f"'like' must be ids of items that all have an image, or all a text (got {', '.join(ids) or 'none'})"
        )

    def search(self, query: Query, k: int, sides: Sequence[str], lexical: bool, filters: Filters) -> Neighbours:
        """Find neighbours on one side, or fuse what several rankings find."""
        if lexical or len(sides) > 1:
            return self._fused(query, k, sides, lexical, filters)
        _check_known(query)
        return _without(self[sides[0]].search(query.vectors, k + len(query.other_than), *filters), query, k)

    def _fused(self, query: Query, k: int, sides: Sequence[str], lexical: bool, filters: Filters) -> Neighbours:
        """Several rankings as one; a text of which no word is known counts for the captions alone."""
        depth = max(LEAST_DEPTH, DEPTH_PER_RESULT * k) + len(query.other_than)
        found = [_without(self[side].search(query.vectors, depth, *filters), query, depth) for side in sides]
        rankings, weights = [each.ids for each in found], [[1.0] * len(query.vectors) for _ in found]
        if lexical:
            if not query.texts:
                raise ValueError("'lexical' needs 'text' as words (got another query)")
            if "text" not in sides:
                raise ValueError("'lexical' needs 'within' to be 'texts' or 'both' (got 'pictures')")
            weights = [[float(known) for known in query.known] for _ in found]
            rankings.append(self["text"].captioned(query.texts, depth, *filters))
            weights.append([1.0] * len(query.texts))
        else:
            _check_known(query)
        fused = reciprocal_rank_fusion(rankings, k, weights)
        title_of: dict[str, str] = {}
        for part in found:
            for ids, titles in zip(part.ids, part.titles, strict=True):
                title_of.update(zip(ids, titles, strict=True))
        return replace(fused, titles=[[title_of.get(each, each) for each in row] for row in fused.ids])

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """What `restore` takes; later changes leave it as it is."""
        return {side: items.snapshot() for side, items in self.items()}

    def restore(self, snapshot: Mapping[str, Mapping[str, Any]]) -> None:
        """Take what `snapshot` gave; errors as `Items.restore`."""
        for side, items in self.items():
            items.restore(**snapshot[side])


def _check_known(query: Query) -> None:
    for text, known in zip(query.texts, query.known, strict=True):
        if not known:
            raise ValueError(f"'text' must have a word that the model knows (got {text!r})")


def _without(found: Neighbours, query: Query, k: int) -> Neighbours:
    """The first k of what was found beside the items that were asked for."""
    if not query.other_than:
        return found
    places = [[place for place, each in enumerate(row) if each not in query.other_than][:k] for row in found.ids]
    ids, titles = (
        [[row[place] for place in kept] for row, kept in zip(names, places, strict=True)]
        for names in (found.ids, found.titles)
    )
    scores = found.scores.gather(1, torch.tensor(places, dtype=torch.long).view(len(places), -1))
    return Neighbours(ids, scores, titles, found.score_name)
