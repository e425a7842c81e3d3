"""Queries as vectors: features, words, picture files, labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.names import check_name
from labelgraph.encoders import Encoder, build_encoder
from labelgraph.inference import encode_side
from labelgraph.methods import Method
from labelgraph.search.items import as_names

EXPECTED, BESIDE = 0.5, 0.1


@dataclass(frozen=True)
class Query:
    """Queries of one side.

    Args:
        side: ``"image"`` or ``"text"``.
        vectors: Embeddings (Q, H) or codes (Q, B).
        texts: The texts of the queries, if they are texts.
        known: Whether the method knows a word or label of each text, (Q,).
        other_than: Ids to leave out of the results.
    """

    side: str
    vectors: Tensor
    texts: Sequence[str] = ()
    known: Sequence[bool] = ()
    other_than: frozenset[str] = frozenset()


class QueryReader:
    """Embeds queries: features, texts, picture files or labels.

    Args:
        method: A trained method, in evaluation mode.
    """

    def __init__(self, method: Method) -> None:
        self._method = method
        self._encoders: dict[str, Encoder] = {}

    @property
    def label_names(self) -> Sequence[str]:
        """Labels whose probabilities the method predicts, in the order of the columns of its embeddings; or none."""
        graph = self._method._graph
        return () if self._method.similarity != "jaccard" or graph is None else tuple(graph.label_names)

    def features(self, side: str, features: Any) -> Query:
        """Embed features (Q, D), or of one query (D,)."""
        return Query(side, encode_side(self._method, side, features).vectors)

    def texts(self, texts: Sequence[str]) -> Query:
        """Embed texts; if the method predicts label probabilities, a label that a text names gets the probability 1.

        A text without a known word is embedded by its labels alone. If the predicted probability of a named label is
        below one half, the rest of the embedding is scaled by a tenth: it then only orders the items with the label.
        """
        features = self._encoder("text").encode(texts)
        vectors = encode_side(self._method, "text", features).vectors
        known = np.asarray(abs(features).sum(1)).ravel() > 0
        for row, text in enumerate(texts):
            columns = [self.label_names.index(name) for name in named_labels(text, self.label_names)]
            if columns and not known[row]:
                vectors[row] = 0
            elif columns and vectors[row, columns].min() < EXPECTED:
                vectors[row, : len(self.label_names)] *= BESIDE
                vectors[row, len(self.label_names) :] *= BESIDE ** (
                    1 / 3
                )  # The score has the third power of the pair embeddings.
            vectors[row, columns] = 1
            known[row] |= bool(columns)
        return Query("text", vectors, texts, known.tolist())

    def pictures(self, paths: Sequence[str | Path]) -> Query:
        """Embed picture files."""
        return self.features("image", self._encoder("image").encode(paths))

    def labels(self, labels: Any) -> Query:
        """Embed labels by name; each entry is a query, of one label or of several.

        Raises:
            ValueError: If the method does not predict label probabilities, or a label is unknown.
        """
        known = self.label_names
        if not known:
            raise ValueError(f"'label' needs a method that ranks by label probabilities (got {self._method.name!r}, "
                             f"which ranks by {self._method.similarity})")  # fmt: skip
        queries = [labels] if isinstance(labels, str) else list(labels)
        width = self._width()
        vectors = torch.zeros(len(queries), width)
        for row, names in enumerate(queries):
            for name in as_names("label", names):
                check_name("label", name, known)
                vectors[row, known.index(name)] = 1
        if not queries or not vectors.any(1).all():
            raise ValueError(f"'label' must name at least one label for each query (got {labels!r})")
        return Query("text", vectors)

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


def as_items(query: Any) -> list[str | Path] | None:
    """Return texts or paths as a list; None if the query is neither, such as features."""
    if isinstance(query, str | Path):
        return [query]
    if isinstance(query, np.ndarray) and query.dtype.kind == "U":
        query = query.ravel().tolist()
    if isinstance(query, list | tuple) and query and all(isinstance(each, str | Path) for each in query):
        return list(query)
    return None


def named_labels(text: str, label_names: Iterable[str]) -> list[str]:
    """Return the labels whose words occur next to each other in a text; case is ignored.

    Example:
        >>> from labelgraph.search.query_vectors import named_labels
        >>> named_labels("A night sky, and birds", ["bird", "Night_sky", "sky"])
        ['Night_sky', 'sky']
    """
    within = _spaced(text)
    return [name for name in label_names if (words := _spaced(name)).strip() and words in within]


def _spaced(text: str) -> str:
    words = re.findall(r"[^\W_]+", text.casefold())
    return f" {' '.join(words)} "
