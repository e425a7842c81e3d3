"""What a search gives."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest items of each query, from the nearest on.

    Attributes:
        ids: The users' ids, a list of k for each of the Q queries; k is less than asked for if fewer items
            are there or pass the filters.
        scores: Shape (Q, k): cosines or products, falling; or for codes Hamming distances, rising.
        titles: What to show of the items, by their places in ``ids``; their ids where they came without titles.

    Example:
        >>> import torch
        >>> from labelgraph.search import Neighbours
        >>> Neighbours([["b", "a"]], torch.tensor([[0.9, 0.4]]))
        Neighbours(ids=[['b', 'a']], scores=tensor([[0.9000, 0.4000]]))
    """

    ids: list[list[str]]
    scores: Tensor
    titles: list[list[str]] = field(default_factory=list, repr=False)
