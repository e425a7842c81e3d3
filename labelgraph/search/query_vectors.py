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
    """Queries of one kind.

    Args:
        side: ``"image"`` or ``"text"``: what they are.
        vectors: Embeddings or codes, (Q, H) or (Q, B).
        texts: The words of each, where they came as words.
        known: Whether the method knows a word or label of each, (Q,).
        other_than: Ids that are not to be found.
    """

    side: str
    vectors: Tensor
    texts: Sequence[str] = ()
    known: Sequence[bool] = ()
    other_than: frozenset[str] = frozenset()


class QueryReader:
    """Turns what a user searches for into vectors.

    Args:
        method: In evaluation mode.
    """

    def __init__(self, method: Method) -> None:
        self._method = method
        self._encoders: dict[str, Encoder] = {}

    @property
    def label_names(self) -> Sequence[str]:
        """Labels of which the method gives the probabilities, in the order of its embeddings' columns; or none."""
        graph = self._method._graph
        return () if self._method.similarity != "jaccard" or graph is None else tuple(graph.label_names)

    def features(self, side: str, features: Any) -> Query:
        """Of features, (Q, D) or of one query (D,)."""
        return Query(side, encode_side(self._method, side, features).vectors)

    def texts(self, texts: Sequence[str]) -> Query:
        """Of words; each label that a text names is taken for certain, if the method knows probabilities of labels.

        A text of which the method knows no word is searched by its labels alone. Where the method did not expect a
        label that is named, what it makes of the other words counts a tenth: that orders the items with the label.
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
                vectors[row, len(self.label_names) :] *= BESIDE ** (1 / 3)  # The score has its third power.
            vectors[row, columns] = 1
            known[row] |= bool(columns)
        return Query("text", vectors, texts, known.tolist())

    def pictures(self, paths: Sequence[str | Path]) -> Query:
        """Of picture files."""
        return self.features("image", self._encoder("image").encode(paths))

    def labels(self, labels: Any) -> Query:
        """Of labels by name, each a query, or several for one query.

        Raises:
            ValueError: If the method gives no label probabilities, or a label is unknown.
        """
        known = self.label_names
        if not known:
            raise ValueError(f"'label' needs a method that ranks by label probabilities (got {self._method.name!r}, "
                             f"which ranks by {self._method.similarity})")  # fmt: skip
        given = [labels] if isinstance(labels, str) else list(labels)
        width = self._width()
        vectors = torch.zeros(len(given), width)
        for row, names in enumerate(given):
            for name in as_names("label", names):
                check_name("label", name, known)
                vectors[row, known.index(name)] = 1
        if not given or not vectors.any(1).all():
            raise ValueError(f"'label' must name at least one label for each query (got {labels!r})")
        return Query("text", vectors)

    def _width(self) -> int:
        """Of the embeddings: label probabilities, and pair embeddings if the method has them."""
        channels = self._method._channels or (1, 1)
        return encode_side(self._method, "image", torch.zeros(1, channels[0])).vectors.shape[1]

    def _encoder(self, side: str) -> Encoder:
        if side not in self._method.encoders:
            what = "words" if side == "text" else "picture files"
            raise ValueError(f"'{side}' must be features: the method does not keep how its {side} features were made "
                             f"(got {what})")  # fmt: skip
        if side not in self._encoders:
            self._encoders[side] = build_encoder(self._method.encoders[side])
        return self._encoders[side]


def as_items(given: Any) -> list[str | Path] | None:
    """Words or paths, one or several; None for anything else."""
    if isinstance(given, str | Path):
        return [given]
    if isinstance(given, np.ndarray) and given.dtype.kind == "U":
        given = given.ravel().tolist()
    if isinstance(given, list | tuple) and given and all(isinstance(each, str | Path) for each in given):
        return list(given)
    return None


def named_labels(text: str, label_names: Iterable[str]) -> list[str]:
    """The labels whose words stand side by side in a text, in any capitals.

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
