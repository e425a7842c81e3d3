"""Lexical search: captions that share words with a text."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from labelgraph.encoders.bag_of_words import words_of


class Captions:
    """Captions ranked by BM25, a weighted count of the words that they share with a text (package bm25s).

    Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, doi:10.1561/1500000019.

    Args:
        titles: The captions.
        ids: Ids of the items, in the same order; an item whose title is its id has no caption.

    Attributes:
        words: The words of all captions, without English words such as "the" and "with".

    Raises:
        ValueError: If no item has a caption.
        ImportError: If bm25s is not installed.

    Example:
        >>> from labelgraph.search.captions import Captions
        >>> Captions(["a red bird", "two fish", "the red red sea"], ["1", "2", "3"]).search("red birds", 3)
        [2, 0]
    """

    def __init__(self, titles: Sequence[str], ids: Sequence[str]) -> None:
        try:
            bm25s = importlib.import_module("bm25s")
        except ImportError as error:
            raise ImportError("'lexical' needs bm25s: pip install \"labelgraph[lexical]\"") from error
        words = [words_of(title) if title != each else [] for title, each in zip(titles, ids, strict=True)]
        if not any(words):
            raise ValueError("'lexical' needs titles with words (got items without titles)")
        stop_words = importlib.import_module("bm25s.stopwords").STOPWORDS_EN_PLUS
        self.words = frozenset(word for bag in words for word in bag) - set(stop_words)
        self._index: Any = bm25s.BM25()
        self._index.index(words, show_progress=False)

    def search(self, text: str, k: int, among: np.ndarray | None = None) -> list[int]:
        """Return the rows of the best captions, at most k; each of them shares a word with the text.

        Args:
            text: Text query.
            k: Maximum number of captions.
            among: Rows to search, in ascending order; by default all.
        """
        words = words_of(text)
        if not words:
            return []
        scores = self._index.get_scores(words)
        rows = np.flatnonzero(scores > 0) if among is None else among[scores[among] > 0]
        best: list[int] = rows[np.argsort(-scores[rows], kind="stable")[:k]].tolist()
        return best
