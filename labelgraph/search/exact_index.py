"""The built-in index: all vectors or codes in memory, searched exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from labelgraph._core.embeddings import Embeddings, as_embeddings, as_matrix
from labelgraph._core.similarity import SIMILARITIES, SPARSE
from labelgraph._core.sparse_rows import FEW_QUERIES
from labelgraph.search.exact_neighbours import comparable, find
from labelgraph.search.neighbours import check_k


class ExactIndex:
    """An index that compares a query with every vector or code; equal scores keep the order of addition.

    Args:
        similarity: ``"cosine"`` for vectors, which are kept as float32 of unit length; ``"dot"`` for vectors
            kept as float32 of their own length; ``"jaccard"`` for label probabilities, followed by pair embeddings;
            ``"hamming"`` for codes of `pack_bits`; ``"sparse-jaccard"`` and the other sparse similarities for the most
            probable labels, which are searched by inverted lists. See `Embeddings`.
        num_labels: See `Embeddings`.

    Example:
        >>> import torch
        >>> from labelgraph.search.exact_index import ExactIndex
        >>> index = ExactIndex("cosine")
        >>> index.add(torch.tensor([[0.0, 2.0], [3.0, 0.0], [1.0, 1.0]]))
        >>> index.search(torch.tensor([[1.0, 0.0]]), k=2)
        (tensor([[1.0000, 0.7071]]), tensor([[1, 2]]))
    """

    def __init__(self, similarity: str, num_labels: int | None = None) -> None:
        self.similarity = similarity
        self.num_labels = num_labels
        self._held: Embeddings | None = None
        self._lists: tuple[Any, ...] | None = None  # Inverted lists, built where there are more than a few queries.
        self._queries = 0

    @property
    def held(self) -> Embeddings | None:
        """The added vectors, as embeddings; None for an empty index."""
        return self._held

    @held.setter
    def held(self, embeddings: Embeddings | None) -> None:
        self._held, self._lists = embeddings, None

    @property
    def vectors(self) -> Tensor:
        """The added vectors, float32 (N, H), or codes, uint8 (N, B), in the order of addition."""
        if self.held is None:
            return torch.empty(0, 0, dtype=torch.uint8 if self.similarity == "hamming" else torch.float32)
        return self.held.vectors

    def __len__(self) -> int:
        return len(self.held or ())

    def add(self, vectors: Tensor) -> None:
        """Append vectors; they take the next positions.

        Raises:
            ValueError: If `check` refuses them.
        """
        new = self.check("vectors", vectors)
        self.held = new if self.held is None else Embeddings.cat([self.held, new])

    def remove(self, positions: Tensor) -> None:
        """Remove vectors; the positions of later vectors move up."""
        if self.held is not None:
            remaining = torch.ones(len(self), dtype=torch.bool)
            remaining[positions] = False
            self.held = self.held[remaining]

    def search(self, query: Tensor, k: int, among: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Find the nearest neighbours of each query.

        Args:
            query: Vectors (Q, H) or codes (Q, B).
            k: Number of neighbours; an index of fewer vectors returns all of them.
            among: Positions to search, in ascending order; by default all.

        Returns:
            Scores in descending order, or Hamming distances in ascending order; and positions. Both have the shape
            (Q, k).
        """
        asked, k = self.check("query", query), check_k(k)
        held = asked[:0] if self.held is None else self.held  # An empty index has no width yet.
        if among is not None:
            scores, positions = find(asked, held[among], k)
            return scores, among[positions]
        self._queries += len(asked)
        if self.similarity in SPARSE and len(held) and self._lists is None and self._queries > FEW_QUERIES:
            self._lists = SIMILARITIES[self.similarity].hold(held, torch.float32)
        return find(asked, held, k, self._lists)

    def dump(self) -> dict[str, bytes]:
        """Return the files to save besides the vectors, by suffix: none."""
        return {}

    def restore(self, vectors: Tensor, files: Mapping[str, bytes]) -> None:
        """Set the vectors from a saved index.

        Raises:
            ValueError: If the vectors have another type or shape, or values that the similarity does not allow.
        """
        if vectors.ndim != 2 or vectors.dtype != self.vectors.dtype:
            raise ValueError(
                f"'vectors' must be a matrix of {self.vectors.dtype} (got {vectors.dtype}, {tuple(vectors.shape)})"
            )
        self.held = Embeddings(vectors, self.similarity, self.num_labels) if vectors.shape[1] else None

    def check(self, name: str, vectors: Any) -> Embeddings:
        """Check vectors or codes of items or queries, and scale vectors for cosines to unit length.

        Raises:
            ValueError: If the vectors are not a matrix of the width of the index, are not finite, are not probabilities
                for ``"jaccard"``, or are codes and not uint8.
        """
        vectors = vectors if isinstance(vectors, Tensor) else as_matrix(name, vectors)
        width = self.vectors.shape[1]
        if vectors.ndim != 2 or vectors.shape[1] == 0 or (width and vectors.shape[1] != width):
            raise ValueError(f"'{name}' must have the shape (N, {width or 'H'}) (got {tuple(vectors.shape)})")
        return comparable(as_embeddings(name, vectors.cpu(), self.similarity, self.num_labels))
