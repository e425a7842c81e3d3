"""The built-in indexes: vectors in memory, searched exactly."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from labelgraph.retrieval.inputs import check_finite
from labelgraph.search.hamming import hamming_neighbours
from labelgraph.search.product import product_neighbours


class ExactIndex:
    """Vectors or codes, by position, and an exact search among them; equal scores keep the order of addition.

    Args:
        similarity: ``"cosine"`` for vectors, which are kept as float32 of unit length, ``"dot"`` for vectors
            kept as float32 of their own length, or ``"hamming"`` for codes of `pack_bits`.

    Attributes:
        vectors: What was added, in order: float32 (N, H), or uint8 (N, B).

    Example:
        >>> import torch
        >>> from labelgraph.search.exact import ExactIndex
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
