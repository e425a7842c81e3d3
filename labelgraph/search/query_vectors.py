"""Queries as vectors: features, words, picture files, labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.argument_kinds import SHOWN, received
from labelgraph._core.names import did_you_mean
from labelgraph._core.similarity import unit_length
from labelgraph.encoders import BagOfWords, Encoder, SentenceEncoder, build_encoder, words_of
from labelgraph.encoders.near_words import respelled
from labelgraph.inference import encode_side
from labelgraph.methods import Method
from labelgraph.methods.label_placement import LabelPlacement, name_vectors, placement_weights, trained_labels
from labelgraph.search.items import as_names
from labelgraph.search.query_rows import QueryRow

EXPECTED, BESIDE = 0.5, 0.1
_ITEMS = {"text": "texts", "image": "paths of picture files"}


@dataclass(frozen=True)
class Query:
    """Queries of one side.

    Args:
        side: ``"image"`` or ``"text"``.
        vectors: Embeddings (Q, H) or codes (Q, B).
        texts: The texts of the queries, if they are texts.
        known: Whether the method knows a word or label of each text, (Q,).
        unknown: Words of each text that the method does not know, (Q,).
        other_than: Ids to leave out of the results.
    """

    side: str
    vectors: Tensor
    texts: Sequence[str] = ()
    known: Sequence[bool] = ()
    unknown: Sequence[Sequence[str]] = ()
    other_than: frozenset[str] = frozenset()


class QueryReader:
    """Embeds queries: features, texts, picture files or labels.

    Args:
        method: A trained method, in evaluation mode.
    """

    def __init__(self, method: Method) -> None:
        self._method = method
        self._encoders: dict[str, Encoder] = {}

    @cached_property
    def label_names(self) -> Sequence[str]:
        """Labels whose probabilities the method predicts, in the order of the columns of its embeddings; or none."""
        graph = self._method._graph
        return tuple(graph.label_names) if self._method.ranks_by_labels and graph is not None else ()

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {name: column for column, name in enumerate(self.label_names)}

    def features(self, side: str, features: Any) -> Query:
        """Embed features (Q, D), or of one query (D,)."""
        return Query(side, encode_side(self._method, side, features).vectors)

    def texts(self, texts: Sequence[str]) -> Query:
        """Embed texts; if the method predicts label probabilities, a label that a text names gets the probability 1.

        A text without a known word is embedded by its labels alone. If the predicted probability of a named label is
        below one half, the rest of the embedding is scaled by a tenth: it then only orders the items with the label.
        Unknown words are replaced by near known words, see `near_word`.
        """
        asked = self._respelled(texts)
        vectors, known = self._text_vectors(asked)
        for row, text in enumerate(asked):
            columns = [self._columns[name] for name in named_labels(text, self.label_names)]
            if not columns:
                continue
            embedding = QueryRow(vectors[row], self._method)
            if not known[row]:
                vectors[row] = 0
            elif embedding.of(columns).min() < EXPECTED:
                embedding.probabilities *= BESIDE
                embedding.pair *= BESIDE ** (1 / 3)  # The score has the third power of the pair embeddings.
            for column in columns:
                embedding[column] = 1.0
            known[row] = True
        return Query("text", vectors, texts, known.tolist(), self.unknown_words(texts))

    def unknown_words(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the words of each text that are neither known, nor near known words, nor words of a label in it."""
        encoder = self._encoder("text")
        if not isinstance(encoder, BagOfWords):
            return [[] for _ in texts]
        unknown = []
        for text in self._respelled(texts):
            of_labels = {word for name in named_labels(text, self.label_names) for word in words_of(name)}
            unknown.append([word for word in encoder.unknown_words(text) if word not in of_labels])
        return unknown

    def _respelled(self, texts: Sequence[str]) -> list[str]:
        encoder = self._encoder("text")
        if not isinstance(encoder, BagOfWords):
            return list(texts)
        return [respelled(text, encoder.vocabulary, self.label_names)[0] for text in texts]

    def pictures(self, paths: Sequence[str | Path]) -> Query:
        """Embed picture files."""
        return self.features("image", self._encoder("image").encode(paths))

    def labels(self, labels: Any, vectors: Any = None) -> Query:
        """Embed labels by name; each entry is a query, of one label or of several. See `placements`.

        A trained label has the probability 1. Instead of another label, its nearest trained labels have the cosines of
        their names as probabilities, and the query has the pair embedding of the label as a text. Where labels are
        many, a query of trained labels has the mean pair embedding of `Method.label_queries`.
        """
        queries = self._label_queries(labels)
        placed = {each.name: each for each in self.placements(labels, vectors)}
        rows = torch.zeros(len(queries), self._width())
        for row, names in zip(rows, queries, strict=True):
            query, unseen = QueryRow(row, self._method), [placed[name] for name in names if name in placed]
            trained = [self._columns[name] for name in names if name not in placed]
            if any(each.known for each in unseen):
                text = self._text_vectors([" ".join(each.name for each in unseen if each.known)])[0][0]
                query.pair[:] = QueryRow(text, self._method).pair
                if not all(each.nearest for each in unseen):
                    row[:] = text
            elif trained and self._method.takes_sparse_labels:
                query.pair[:] = self._pair_of(trained)
            nearest = [(self._columns[name], value) for each in unseen for name, value in each.nearest]
            for column, value in [*nearest, *((column, 1.0) for column in trained)]:
                query[column] = max(value, query[column])
        return Query("text", rows)

    @torch.no_grad()
    def _pair_of(self, labels: list[int]) -> Tensor:
        """Return the mean pair embedding of labels, with the length of each."""
        embed: Any = self._method.label_queries
        rows = embed(torch.tensor(labels)).cpu().float()
        pairs = torch.stack([QueryRow(row, self._method).pair for row in rows])
        return unit_length(pairs.mean(0)) * pairs.norm(dim=1).max()

    def placements(self, labels: Any, vectors: Any = None) -> list[LabelPlacement]:
        """Place the labels without training items among the trained labels.

        Args:
            labels: See `labels`.
            vectors: Vectors of the labels without training items; see `name_vectors`.

        Raises:
            ValueError: If the method does not predict label probabilities, or a label has neither near labels nor a
                word that the text encoder knows.
        """
        names = dict.fromkeys(name for query in self._label_queries(labels) for name in query)
        graph: Any = self._method._graph
        trained = trained_labels(graph).tolist()
        unseen = [name for name in names if name not in self._columns or not trained[self._columns[name]]]
        if not unseen:
            return []
        weights, reason = self._nearest(unseen, vectors)
        known = self._text_vectors(unseen)[1] if "text" in self._method.encoders else [False] * len(unseen)
        placed = []
        for name, row, word in zip(unseen, weights, known, strict=True):
            placed.append(LabelPlacement.of(name, row, self.label_names, bool(word)))
            if not (placed[-1].nearest or word):
                raise ValueError(f"'label' must be one of {_listed(self.label_names)}, or have {reason} (got {name!r})"
                                 f"{did_you_mean(name, self.label_names)}")  # fmt: skip
        return placed

    def _nearest(self, names: Sequence[str], vectors: Any) -> tuple[Tensor, str]:
        """Return the weights of the nearest labels, (N, C), zero without vectors; and what is missing for weights."""
        method = self._method
        weights = torch.zeros(len(names), len(self.label_names))
        if method.label_vectors is None:
            if vectors is not None:
                raise ValueError("'vectors' needs label vectors in the training data (got data without them)")
            return weights, "a word that the model knows, because the training data have no label vectors"
        try:
            matrix = name_vectors(method, names, self._encode_labels if vectors is None else vectors)
        except (ImportError, FileNotFoundError, ValueError) as error:
            if vectors is not None:
                raise
            return weights, f"a word that the model knows, or a vector: {error}"
        return placement_weights(method, matrix), "a word that the model knows, or a vector near those of labels"

    def _label_queries(self, labels: Any) -> list[list[str]]:
        """Return the label names of each query."""
        if not self.label_names:
            raise ValueError(f"'label' needs a method that ranks by label probabilities (got {self._method.name!r}, "
                             f"which ranks by {self._method.similarity})")  # fmt: skip
        given = labels if isinstance(labels, Iterable) and not isinstance(labels, str) else [labels]
        queries = [as_names("label", names) for names in given]
        if not queries or not all(queries):
            raise ValueError(f"'label' must name at least one label for each query (got {labels!r})")
        return queries

    def _encode_labels(self, names: list[str]) -> Any:
        if "label" not in self._encoders:
            self._encoders["label"] = SentenceEncoder()
        return self._encoders["label"].encode(names)

    def _text_vectors(self, texts: Sequence[str]) -> tuple[Tensor, np.ndarray]:
        """Embed texts, and return whether each has a known word."""
        features = self._encoder("text").encode(texts)
        return encode_side(self._method, "text", features).vectors, np.asarray(abs(features).sum(1)).ravel() > 0

    def _width(self) -> int:
        """Return the width of the embeddings: label probabilities, then pair embeddings if the method has them."""
        channels = self._method._channels or (1, 1)
        return encode_side(self._method, "image", torch.zeros(1, channels[0])).vectors.shape[1]

    def _encoder(self, side: str) -> Encoder:
        if side not in self._method.encoders:
            kind = "words" if side == "text" else "picture files"
            raise ValueError(f"'{side}' must be features, because the training data of the method do not record "
                             f"their {side} encoder (got {kind})")  # fmt: skip
        if side not in self._encoders:
            self._encoders[side] = build_encoder(self._method.encoders[side])
        return self._encoders[side]


def as_items(name: str, query: Any) -> list[str | Path] | None:
    """Return texts or paths as a list; None if the query has features.

    Raises:
        ValueError: If the query has neither, or has something else among its texts.
    """
    if isinstance(query, str | Path):
        return [query]
    if isinstance(query, SHOWN):
        raise ValueError(f"'{name}' must be {_ITEMS[name]}, or features (got {received(query)})")
    if getattr(query, "ndim", 0) == 1 and not isinstance(query, Tensor) and np.asarray(query).dtype.kind in "UO":
        query = np.asarray(query).tolist()
    if not isinstance(query, list | tuple) or not any(isinstance(each, str | Path) for each in query):
        return None
    for row, each in enumerate(query):
        if not isinstance(each, str | Path):
            raise ValueError(f"'{name}' must be {_ITEMS[name]} (got {received(each)} at {row})")
    return list(query)


def named_labels(text: str, label_names: Iterable[str]) -> list[str]:
    """Return the labels whose words occur next to each other in a text; case is ignored.

    Example:
        >>> from labelgraph.search.query_vectors import named_labels
        >>> named_labels("A night sky, and birds", ["bird", "Night_sky", "sky"])
        ['Night_sky', 'sky']
    """
    places, longest = _by_words(names := tuple(label_names))
    words = _words(text)
    parts = (words[start : start + size] for size in range(1, longest + 1) for start in range(len(words) - size + 1))
    return [names[place] for place in sorted({place for part in parts for place in places.get(part, ())})]


@lru_cache(maxsize=8)
def _by_words(label_names: tuple[str, ...]) -> tuple[dict[tuple[str, ...], list[int]], int]:
    """Return the places of labels by their words, and the largest number of words."""
    places: dict[tuple[str, ...], list[int]] = {}
    for place, name in enumerate(label_names):
        if words := _words(name):
            places.setdefault(words, []).append(place)
    return places, max(map(len, places), default=0)


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[^\W_]+", text.casefold()))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f", ... ({len(names)})" if len(names) > 10 else "")
