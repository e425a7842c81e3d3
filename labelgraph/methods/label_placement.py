"""Labels without training items, placed among the trained labels by the vectors of their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.checks import check_features
from labelgraph._core.reading import reading
from labelgraph._core.similarity import unit_length
from labelgraph.encoders.word_vectors import SENTENCE, encode_label_names, label_name_vectors

if TYPE_CHECKING:
    from labelgraph.methods.base import Method

NEAREST = 5  # Labels by which a label is placed.
REFERENCES = 5  # Trained labels whose names check that vectors come from the encoder of the label vectors.
LEAST_COSINE = 0.9  # Of the vectors of a reference; float16 and the case of letters change vectors a little.


@dataclass(frozen=True)
class LabelPlacement:
    """The place of a label among the trained labels of a method.

    Args:
        name: The label.
        nearest: The nearest trained labels, with the positive cosines of their names; empty if there are none.
        known: Whether the text encoder of the method knows a word of the label.

    Example:
        >>> from labelgraph.methods.label_placement import LabelPlacement
        >>> print(LabelPlacement("ladybug", (("insect", 0.71), ("bug", 0.69)), True))
        ladybug: not a trained label; nearest labels: insect .71, bug .69; also searched as a word of texts
    """

    name: str
    nearest: tuple[tuple[str, float], ...]
    known: bool = False

    def __str__(self) -> str:
        parts = [f"{self.name}: not a trained label"]
        if self.nearest:
            shown = ", ".join(f"{name} {cosine:.2f}".replace(" 0.", " .") for name, cosine in self.nearest)
            parts.append(f"nearest labels: {shown}")
        if self.known:
            parts.append("also searched as a word of texts" if self.nearest else "searched as a word of texts")
        return "; ".join(parts)


def trained_labels(method: Method) -> Tensor:
    """Return which labels have training items, bool, (C,); all of them, if the label graph has no counts."""
    graph: Any = method._graph
    count = graph.get("count")
    if count is None or not int(graph.num_samples):
        return torch.ones(graph.num_nodes, dtype=torch.bool)
    return count.cpu() > 0


def placement_weights(method: Method, vectors: Tensor, k: int = NEAREST) -> Tensor:
    """Compute the cosines of names with their nearest trained labels; other entries and negative cosines are 0.

    Args:
        method: A method with label vectors.
        vectors: Vectors of the names, shape (N, F).
        k: Number of nearest labels.

    Returns:
        Shape (N, C), float32.
    """
    if method.label_vectors is None:
        raise ValueError("'method' must have label vectors (got none, because its training data have none)")
    cosine = unit_length(vectors.float()) @ method.label_vectors.float().t()
    cosine = cosine.clamp(0, 1).masked_fill(~trained_labels(method), 0)
    value, label = cosine.topk(min(k, cosine.shape[1]))
    return torch.zeros_like(cosine).scatter(1, label, value)


def name_vectors(method: Method, names: Sequence[str], vectors: Any = None) -> Tensor:
    """Return vectors of names in the space of the label vectors of a method, shape (N, F); zero for unknown words.

    Args:
        method: A method with label vectors.
        names: The names.
        vectors: A matrix (N, F); a ``.npy`` file with one; a file of word vectors, see
            `labelgraph.encoders.read_label_vectors`; a sentence encoder, or a function from a list of texts to a
            matrix; or ``"sentence"``, the packaged model, the default. With the last three, a label of the method
            keeps its vector.

    Raises:
        ValueError: If the vectors do not match the names, or differ from the label vectors for trained labels.
        FileNotFoundError: If the file does not exist.
        ImportError: If the sentence encoder is needed but not installed.
    """
    own = method.label_vectors
    if own is None:
        raise ValueError("'method' must have label vectors (got none, because its training data have none)")
    matrix = _given(names, vectors)
    if matrix is None:
        graph: Any = method._graph
        held = dict(zip(graph.label_names, own.float(), strict=True))
        others = [name for name in names if name not in held]
        encoded = _encoded_like(method, others, vectors) if others else own[:0].float()
        found = held | dict(zip(others, encoded, strict=True))
        return torch.stack([found[name] for name in names])
    if matrix.shape[1] != own.shape[1]:
        raise ValueError(f"'vectors' must have the width {own.shape[1]} of the label vectors (got {matrix.shape[1]})")
    return matrix


def _given(names: Sequence[str], vectors: Any) -> Tensor | None:
    """Return vectors that are given as a matrix, or None."""
    if isinstance(vectors, str | Path) and Path(vectors).suffix.lower() == ".npy":
        with reading(Path(vectors), "vectors of labels"):
            vectors = np.atleast_2d(np.load(vectors, allow_pickle=False))
    elif vectors is None or isinstance(vectors, str | Path) or callable(getattr(vectors, "encode", vectors)):
        return None
    matrix = check_features("vectors", vectors)
    dense: Tensor = matrix if isinstance(matrix, Tensor) else torch.from_numpy(matrix.toarray())
    if len(dense) != len(names):
        raise ValueError(f"'vectors' must have a row for each of {len(names)} labels (got {len(dense)})")
    return dense.float()


def _encoded_like(method: Method, names: Sequence[str], source: Any) -> Tensor:
    """Encode names, after a check that the source gives trained labels the vectors that the method has."""
    graph: Any = method._graph
    own = cast(Tensor, method.label_vectors)
    trained = (trained_labels(method) & own.any(1)).nonzero().flatten()[:REFERENCES]
    references = [graph.label_names[label] for label in trained.tolist()]
    if source is None or isinstance(source, str | Path):
        matrix = label_name_vectors(source or SENTENCE, [*names, *references]).vectors
    else:
        matrix = encode_label_names([*names, *references], getattr(source, "encode", source))
    new, again = matrix[: len(names)], matrix[len(names) :]
    same = matrix.shape[1] == own.shape[1]
    if same and again.any():
        cosine = (unit_length(again) * own[trained].float()).sum(1)[again.any(1)]
        same = bool(cosine.mean() >= LEAST_COSINE)
    if not same:
        raise ValueError(
            f"'vectors' must come from the encoder of the label vectors, of width {own.shape[1]} (got other vectors of "
            f"{', '.join(references)}, of width {matrix.shape[1]})"
        )
    return new
