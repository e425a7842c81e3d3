"""Indexes by name: the built-in exact index, and those of FAISS."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from labelgraph._core.similarity import check_finite
from labelgraph.search.neighbours import hamming_neighbours, product_neighbours


class ExactIndex:
    """Vectors or codes, by position, and an exact search among them; equal scores keep the order of addition.

    Args:
        similarity: ``"cosine"`` for vectors, which are kept as float32 of unit length, ``"dot"`` for vectors
            kept as float32 of their own length, or ``"hamming"`` for codes of `pack_bits`.

    Attributes:
        vectors: What was added, in order: float32 (N, H), or uint8 (N, B).

    Example:
        >>> import torch
        >>> from labelgraph.search.indexes import ExactIndex
        >>> index = ExactIndex("cosine")
        >>> index.add(torch.tensor([[0.0, 2.0], [3.0, 0.0], [1.0, 1.0]]))
        >>> index.search(torch.tensor([[1.0, 0.0]]), k=2)
        (tensor([[1.0000, 0.7071]]), tensor([[1, 2]]))
    """

    def __init__(self, similarity: str) -> None:
        self.similarity = similarity
        self.vectors = torch.empty(0, 0, dtype=torch.uint8 if similarity == "hamming" else torch.float32)

    def __len__(self) -> int:
        return len(self.vectors)

    def add(self, vectors: Tensor) -> None:
        """Append vectors; they take the next positions.

        Raises:
            ValueError: If they are not a matrix as wide as those here, not finite, or codes not uint8.
        """
        vectors = self.check("vectors", vectors)
        # An empty index takes any width.
        self.vectors = torch.cat([self.vectors, vectors]) if self.vectors.shape[1] else vectors

    def remove(self, positions: Tensor) -> None:
        """Take out some vectors; those behind them move up."""
        kept = torch.ones(len(self), dtype=torch.bool)
        kept[positions] = False
        self.vectors = self.vectors[kept]

    def search(self, query: Tensor, k: int, among: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Find the nearest of each query.

        Args:
            query: Shape (Q, H) or (Q, B).
            k: How many; fewer are given if there are fewer.
            among: Positions to choose among, rising; by default all.

        Returns:
            Cosines or products, falling, or Hamming distances, rising; and positions: both of the shape (Q, k).
        """
        query = self.check("query", query)
        database = self.vectors if among is None else self.vectors[among]
        find = hamming_neighbours if self.similarity == "hamming" else product_neighbours
        scores, positions = find(query, database, k)
        return scores, positions if among is None else among[positions]

    def dump(self) -> dict[str, bytes]:
        """What must be saved beside the vectors, by the ending of its file: nothing."""
        return {}

    def restore(self, vectors: Tensor, files: Mapping[str, bytes]) -> None:
        """Take vectors as they were saved.

        Raises:
            ValueError: If they are of another kind.
        """
        if vectors.ndim != 2 or vectors.dtype != self.vectors.dtype:
            raise ValueError(
                f"'vectors' must be a matrix of {self.vectors.dtype} (got {vectors.dtype}, {tuple(vectors.shape)})"
            )
        self.vectors = vectors

    def check(self, name: str, vectors: Tensor) -> Tensor:
        """Check vectors or codes to add or to search for, and bring those for cosines to unit length."""
        vectors = vectors.detach().cpu()
        width = self.vectors.shape[1]
        if vectors.ndim != 2 or vectors.shape[1] == 0 or (width and vectors.shape[1] != width):
            raise ValueError(f"'{name}' must have the shape (N, {width or 'H'}) (got {tuple(vectors.shape)})")
        if self.similarity == "hamming":
            if vectors.dtype != torch.uint8:
                raise ValueError(f"'{name}' must be codes of 'pack_bits', uint8 (got {vectors.dtype})")
            return vectors.contiguous()
        vectors = vectors.to(torch.float32)
        check_finite(name, vectors)
        return (F.normalize(vectors) if self.similarity == "cosine" else vectors).contiguous()


FACTORY = {
    ("vectors", "flat"): "Flat",
    ("vectors", "ivf"): "IVF{lists},Flat",
    ("vectors", "hnsw"): "HNSW{links},Flat",
    ("codes", "flat"): "BFlat",
    ("codes", "ivf"): "BIVF{lists}",
    ("codes", "hnsw"): "BHNSW{links}",
}
ITEMS_PER_LIST = 39  # FAISS asks for as many to train a list.


def import_faiss() -> Any:
    """Import FAISS.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        return importlib.import_module("faiss")
    except ImportError as error:
        raise ImportError('FAISS indexes need FAISS: pip install "labelgraph[index]"') from error


class FaissIndex:
    """A FAISS index, with the vectors or codes beside it in an `ExactIndex`.

    These serve what FAISS does not offer for every structure, at the price of their memory:

    - A search among some positions is exact, over these alone; FAISS is not asked.
    - A query for which FAISS finds fewer than k items is searched exactly.
    - Removal fills the FAISS index anew with what is left; an HNSW graph is built anew, which takes as long
      as building it did. Lists of IVF are kept.

    The lists of IVF, about the square root of the number of items, are trained on what is added first, and
    anew when the items have outgrown them.

    Args:
        similarity: ``"cosine"``, ``"dot"`` or ``"hamming"``.
        structure: ``"flat"``, ``"ivf"`` or ``"hnsw"``.
        num_probes: Lists of IVF that a query looks into.
        num_links: Links of an item in the graph of HNSW.
        search_width: Candidates that HNSW keeps while it searches.

    Raises:
        ImportError: If FAISS is not installed.
    """

    def __init__(
        self, similarity: str, structure: str, num_probes: int = 16, num_links: int = 32, search_width: int = 128
    ) -> None:
        import_faiss()
        self.similarity = similarity
        self.structure = structure
        self._num_probes, self._num_links, self._search_width = num_probes, num_links, search_width
        self._exact = ExactIndex(similarity)
        self._index: Any = None

    @property
    def vectors(self) -> Tensor:
        """What was added, in order."""
        return self._exact.vectors

    def __len__(self) -> int:
        return len(self._exact)

    def add(self, vectors: Tensor) -> None:
        """Append vectors; errors as `ExactIndex.add`."""
        before = len(self)
        self._exact.add(vectors)
        if self._index is None or self._outgrown():
            self._build()
        else:
            self._index.add(self.vectors[before:].numpy())

    def remove(self, positions: Tensor) -> None:
        """Take out some vectors; those behind them move up."""
        self._exact.remove(positions)
        if len(self):
            self._index.reset()
            self._index.add(self.vectors.numpy())
        else:
            self._index = None

    def search(self, query: Tensor, k: int, among: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Find the nearest of each query, as `ExactIndex.search` but for the order of equal scores."""
        if among is not None or not len(self):
            return self._exact.search(query, k, among)
        query = self._exact.check("query", query)
        found = self._index.search(query.numpy(), min(k, len(self)))
        scores, positions = (torch.from_numpy(each) for each in found)
        short = (positions < 0).any(dim=1)
        if short.any():
            scores[short], positions[short] = self._exact.search(query[short], k)
        return scores, positions

    def dump(self) -> dict[str, bytes]:
        """The FAISS file, by its ending."""
        faiss = import_faiss()
        if self._index is None:
            return {}
        serialize = faiss.serialize_index_binary if self.similarity == "hamming" else faiss.serialize_index
        return {"faiss": serialize(self._index).tobytes()}

    def restore(self, vectors: Tensor, files: Mapping[str, bytes]) -> None:
        """Take vectors and the FAISS file as they were saved; probes and search width are those of this index.

        FAISS trusts what it reads: hand in only what is known to be undamaged.

        Raises:
            ValueError: If vectors and file do not belong together.
        """
        faiss = import_faiss()
        self._exact.restore(vectors, {})
        if not len(self):
            return
        read = faiss.deserialize_index_binary if self.similarity == "hamming" else faiss.deserialize_index
        try:
            self._index = read(np.frombuffer(files["faiss"], np.uint8))
        except RuntimeError as error:
            raise ValueError(f"expected an index of FAISS (got {error})") from error
        if (self._index.ntotal, self._index.d) != (len(self), self._width()):
            got = f"{self._index.ntotal} of {self._index.d}"
            raise ValueError(f"expected {len(self)} items of width {self._width()} in the FAISS file (got {got})")
        self._tune()

    def _width(self) -> int:
        return self.vectors.shape[1] * (8 if self.similarity == "hamming" else 1)

    def _num_lists(self) -> int:
        return max(1, min(math.isqrt(len(self)), len(self) // ITEMS_PER_LIST))

    def _outgrown(self) -> bool:
        return self.structure == "ivf" and self._num_lists() > 2 * self._index.nlist

    def _build(self) -> None:
        faiss = import_faiss()
        kind = "codes" if self.similarity == "hamming" else "vectors"
        factory = FACTORY[kind, self.structure].format(lists=self._num_lists(), links=self._num_links)
        if self.similarity == "hamming":
            index = faiss.index_binary_factory(self._width(), factory)
        else:
            index = faiss.index_factory(self._width(), factory, faiss.METRIC_INNER_PRODUCT)
        vectors = self.vectors.numpy()
        index.train(vectors)
        index.add(vectors)
        self._index = index
        self._tune()

    def _tune(self) -> None:
        """Set how thoroughly is searched."""
        if self.structure == "ivf":
            self._index.nprobe = self._num_probes
        elif self.structure == "hnsw":
            self._index.hnsw.efSearch = self._search_width
        elif self.similarity == "hamming":
            self._index.use_heap = False  # Counting by distance is a quarter faster.


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
