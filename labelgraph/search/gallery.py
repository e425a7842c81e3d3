"""What a searcher holds, and why an item is a result of a query: labels that both probably have, words of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from labelgraph.encoders import words_of
from labelgraph.encoders.near_words import respelled
from labelgraph.search.items import as_names
from labelgraph.search.query_rows import QueryRow
from labelgraph.search.searcher import WITHIN, Searcher

LEAST = 0.05  # Product of the probabilities of a label that both sides probably have.


@dataclass(frozen=True)
class GalleryItem:
    """An item of a searcher.

    Args:
        id: Its id.
        title: Its title; the id if it has none.
        labels: Names of its labels.
        sides: Sides that can be found, of ``"image"`` and ``"text"``.
    """

    id: str
    title: str
    labels: tuple[str, ...]
    sides: tuple[str, ...]


@dataclass(frozen=True)
class SharedLabel:
    """A label that a query and an item probably share.

    Args:
        name: Name of the label.
        query: Its probability for the query.
        item: Its probability for the item.
    """

    name: str
    query: float
    item: float


def gallery_items(searcher: Searcher) -> list[GalleryItem]:
    """Return the items of a searcher: first those with an image, then those with only a text.

    Example:
        >>> import torch
        >>> from labelgraph.methods import AGAHConfig, build_method
        >>> from labelgraph.search import Searcher
        >>> from labelgraph.search.gallery import gallery_items
        >>> method = build_method("agah", 6, 5, config=AGAHConfig(bits=16, hidden_channels=8, graph_channels=(8, 8)))
        >>> searcher = Searcher(method, label_names=["cat", "dog"])
        >>> searcher.add(["a"], image=torch.eye(1, 6), labels=[[0, 1]])
        >>> gallery_items(searcher)
        [GalleryItem(id='a', title='a', labels=('dog',), sides=('image',))]
    """
    with searcher._lock.read():
        return [
            GalleryItem(each.id, each.title, tuple(searcher.label_names[column] for column in each.columns), each.sides)
            for each in searcher._sides.entries()
        ]


def shared_labels(
    searcher: Searcher, ids: Sequence[str], within: str, most: int = 5, **query: Any
) -> list[list[SharedLabel]]:
    """Return the labels that a query and each of some items probably share, those with the largest product first.

    Args:
        searcher: A searcher.
        ids: Ids of items, such as the results of the query.
        within: Searched side, see `Searcher.search`; with ``"both"``, the larger probability of both sides counts.
        most: Maximum number of labels per item.
        query: One query of `Searcher.search`: ``image``, ``text``, ``label`` or ``like``, with one entry.

    Returns:
        The labels of each item; none if the method does not rank by label probabilities, or knows no word of the text.

    Raises:
        ValueError: If the query is not valid.
    """
    names = searcher._reader.label_names
    if not names:
        return [[] for _ in ids]
    ((kind, asked),) = query.items()
    read = None if kind == "like" else searcher._query(kind, asked, None)
    if read is not None and read.texts and not read.known[0]:  # Its probabilities are those of a text without words.
        return [[] for _ in ids]
    with searcher._lock.read():
        vector = (read or searcher._sides.like(as_names("like", asked))).vectors[0]
        own = QueryRow(vector, searcher.method)
        labels = own.named()
        asked_for, rows = own.of(labels), [_probabilities(searcher, each, within, labels) for each in ids]
    shared = []
    for row in rows:
        best = (asked_for * row).topk(min(most, len(labels)))
        places = [place for place, value in zip(*(each.tolist() for each in best[::-1]), strict=True)
                  if value >= LEAST]  # fmt: skip
        shared.append(
            [SharedLabel(names[labels[place]], float(asked_for[place]), float(row[place])) for place in places]
        )
    return shared


def _probabilities(searcher: Searcher, each: str, within: str, labels: Sequence[int]) -> Tensor:
    sides = [searcher._sides[side] for side in WITHIN[within] if each in searcher._sides[side]]
    try:
        rows = [QueryRow(side.vectors([each])[0].float(), searcher.method) for side in sides]
    except KeyError:  # Another process has just removed the item.
        rows = []
    return torch.stack([row.of(labels) for row in rows]).amax(0) if rows else torch.zeros(len(labels))


def common_words(searcher: Searcher, text: str, caption: str) -> list[str]:
    """Return the words of a caption that a text has, too, in the order of the caption.

    A plural and its singular, and a word with one typing error, are the same word. Words such as "the" are left out if
    bm25s is installed, which lists them.

    Example:
        >>> from types import SimpleNamespace
        >>> from labelgraph.search.gallery import common_words
        >>> no_captions = SimpleNamespace(_sides={})
        >>> common_words(no_captions, "red birds", "A bird in a red tree")
        ['bird', 'red']
    """
    words = list(dict.fromkeys(words_of(caption)))
    asked = set(words_of(respelled(text, words, ())[0]))
    common = [word for word in words if word in asked]
    for items in searcher._sides.values():
        if content := items.caption_words(common):
            return content
    return common
