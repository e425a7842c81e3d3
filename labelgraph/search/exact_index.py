"""The built-in index: all vectors or codes in memory, searched exactly."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from labelgraph._core.similarity import Embeddings, as_embeddings
from labelgraph.search.exact_neighbours import comparable, find
from labelgraph.search.neighbours import check_k


class ExactIndex:
    """Vectors or codes, by position, and an exact search among them; equal scores keep the order of addition.

    Args:
        similarity: ``"cosine"`` for vectors, which are kept as float32 of unit length; ``"dot"`` for vectors
            kept as float32 of their own length; ``"jaccard"`` for label probabilities, and behind them pair embeddings;
            ``"hamming"`` for codes of `pack_bits`. `Embeddings` tells more.
        num_labels: Columns of ``"jaccard"`` that are label probabilities; by default all.

    Attributes:
        held: What was added, as embeddings; none at first.

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
        self.held: Embeddings | None = None

    @property
    def vectors(self) -> Tensor:
        """What was added, in order: float32 (N, H), or uint8 (N, B)."""
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
        """Take out some vectors; those behind them move up."""
        if self.held is not None:
            kept = torch.ones(len(self), dtype=torch.bool)
            kept[positions] = False
            self.held = self.held[kept]

    def search(self, query: Tensor, k: int, among: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Find the nearest of each query.

        Args:
            query: Shape (Q, H) or (Q, B).
            k: How many; fewer are given if there are fewer.
            among: Positions to choose among, rising; by default all.

        Returns:
            Scores, falling, or Hamming distances, rising; and positions: both of the shape (Q, k).
        """
        asked, k = self.check("query", query), check_k(k)
        held = asked[:0] if self.held is None else self.held  # An empty index has no width yet.
        scores, positions = find(asked, held if among is None else held[among], k)
        return scores, positions if among is None else among[positions]

    def dump(self) -> dict[str, bytes]:
        """What must be saved beside the vectors, by the ending of its file: nothing."""
        return {}

    def restore(self, vectors: Tensor, files: Mapping[str, bytes]) -> None:
        """Take vectors as they were saved.

        Raises:
            ValueError: If they are of another kind, or have no meaning for the similarity.
        """
        if vectors.ndim != 2 or vectors.dtype != self.vectors.dtype:
            raise ValueError(
                f"'vectors' must be a matrix of {self.vectors.dtype} (got {vectors.dtype}, {tuple(vectors.shape)})"
            )
        self.held = Embeddings(vectors, self.similarity, self.num_labels) if vectors.shape[1] else None

    def check(self, name: str, vectors: Tensor) -> Embeddings:
        """Check vectors or codes to add or to search for, and bring those for cosines to unit length.

        Raises:
            ValueError: If they are not a matrix as wide as those here, not finite, no probabilities where the
                similarity needs them, or codes not uint8.
        """
        width = self.vectors.shape[1]
        if vectors.ndim != 2 or vectors.shape[1] == 0 or (width and vectors.shape[1] != width):
            raise ValueError(f"'{name}' must have the shape (N, {width or 'H'}) (got {tuple(vectors.shape)})")
        return comparable(as_embeddings(name, vectors.cpu(), self.similarity, self.num_labels))
