"""What every index offers, and the indexes by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from torch import Tensor

from labelgraph.search.exact import ExactIndex
from labelgraph.search.faiss_index import FaissIndex


class Index(Protocol):
    """Vectors or codes by position, and a search among them; `ExactIndex` tells what its methods mean."""

    similarity: str

    @property
    def vectors(self) -> Tensor:
        """What was added, in order, (N, H) float32 or (N, B) uint8."""

    def __len__(self) -> int: ...

    def add(self, vectors: Tensor) -> None:
        """Append vectors; they take the next positions."""

    def remove(self, positions: Tensor) -> None:
        """Take out some vectors; those behind them move up."""

    def search(self, query: Tensor, k: int, among: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Scores and positions of the nearest of each query, from the nearest on, both (Q, min(k, N))."""

    def dump(self) -> dict[str, bytes]:
        """Files to save beside the vectors, by their endings."""

    def restore(self, vectors: Tensor, files: Mapping[str, bytes]) -> None:
        """Take what was saved."""


@dataclass(frozen=True)
class IndexKind:
    """A kind of index.

    Args:
        similarities: Of embeddings that it is for: ``"cosine"`` and ``"dot"``, or ``"hamming"``.
        build: Takes the similarity and the settings, and gives an empty index.
        settings: What can be set, positive whole numbers, with their defaults.
    """

    similarities: tuple[str, ...]
    build: Callable[..., Index]
    settings: Mapping[str, int] = field(default_factory=dict)


VECTORS, CODES = ("cosine", "dot"), ("hamming",)
IVF, HNSW = {"num_probes": 16}, {"num_links": 32, "search_width": 128}
INDEXES: dict[str, IndexKind] = {
    "exact": IndexKind(VECTORS, ExactIndex),
    "hamming": IndexKind(CODES, ExactIndex),
    "faiss-flat": IndexKind(VECTORS, partial(FaissIndex, structure="flat")),
    "faiss-ivf": IndexKind(VECTORS, partial(FaissIndex, structure="ivf"), IVF),
    "faiss-hnsw": IndexKind(VECTORS, partial(FaissIndex, structure="hnsw"), HNSW),
    "faiss-binary-flat": IndexKind(CODES, partial(FaissIndex, structure="flat")),
    "faiss-binary-ivf": IndexKind(CODES, partial(FaissIndex, structure="ivf"), IVF),
    "faiss-binary-hnsw": IndexKind(CODES, partial(FaissIndex, structure="hnsw"), HNSW),
}


def build_index(name: str, similarity: str | None = None, **settings: int) -> Index:
    """Build an empty index by name.

    Args:
        name: Key of ``INDEXES``.
        similarity: One that it is for: ``"cosine"``, ``"dot"`` or ``"hamming"``; by default its first.
        settings: ``num_probes`` of IVF; ``num_links`` and ``search_width`` of HNSW.

    Raises:
        ValueError: If there is no index of that name, or it is not for the similarity, or has no such setting or
            value.
        ImportError: If it needs FAISS, which is not installed.

    Example:
        >>> import torch
        >>> from labelgraph.search import build_index
        >>> index = build_index("hamming")
        >>> index.add(torch.tensor([[7], [1]], dtype=torch.uint8))
        >>> index.search(torch.tensor([[0]], dtype=torch.uint8), k=1)
        (tensor([[1]], dtype=torch.int32), tensor([[1]]))
    """
    if name not in INDEXES:
        raise ValueError(f"'index' must be one of {', '.join(INDEXES)} (got {name!r})")
    kind = INDEXES[name]
    similarity = similarity or kind.similarities[0]
    if similarity not in kind.similarities:
        fitting = ", ".join(other for other, each in INDEXES.items() if similarity in each.similarities)
        raise ValueError(f"'index' must be one of {fitting or 'none'} for {similarity!r} (got {name!r})")
    for setting, value in settings.items():
        if setting not in kind.settings:
            known = ", ".join(kind.settings) or "none"
            raise ValueError(f"settings of the index {name!r} must be among: {known} (got {setting!r})")
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"'{setting}' must be a positive whole number (got {value!r})")
    return kind.build(similarity, **{**kind.settings, **settings})
