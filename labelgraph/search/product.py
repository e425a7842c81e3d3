"""Exact search by the largest product, which of unit vectors is the cosine."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from labelgraph.search.nearest import Nearest

# A block of 1024 x 1024 products, 4 MiB: large enough for a fast product, small enough for the caches.
BLOCK_QUERIES = 2**10
BLOCK_ITEMS = 2**10
RUN = 2**6


def product_neighbours(query: Tensor, database: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Find the items with the largest products, exactly, block by block; equal ones by position.

    Args:
        query: Shape (Q, H), float32.
        database: Shape (N, H), float32.
        k: How many; at most N are given.

    Returns:
        Falling products, float32, and positions, int64, both of the shape (Q, min(k, N)).

    Example:
        >>> import torch
        >>> from labelgraph.search import product_neighbours
        >>> product_neighbours(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]), 2)
        (tensor([[1., 1.]]), tensor([[1, 2]]))
    """
    k = min(k, len(database))
    scores = torch.empty(len(query), k)
    positions = torch.empty(len(query), k, dtype=torch.long)
    products = torch.empty(min(BLOCK_QUERIES, len(query)) * min(BLOCK_ITEMS, len(database)))
    for first in range(0, len(query), BLOCK_QUERIES):
        rows = slice(first, first + BLOCK_QUERIES)
        part = -query[rows]  # The smallest are wanted.
        nearest = Nearest(len(part), k, np.float32)
        for start in range(0, len(database), BLOCK_ITEMS):
            block = database[start : start + BLOCK_ITEMS]
            keys = torch.mm(part, block.t(), out=products[: len(part) * len(block)].view(len(part), len(block)))
            # Torch finds the smallest of a run several times faster than NumPy compares them all.
            lowest = None if len(block) % RUN else keys.view(len(part), -1, RUN).amin(2).numpy()
            nearest.add(keys.numpy(), start, lowest)
        best, places = map(torch.from_numpy, nearest.result())
        scores[rows] = 0.0 - best  # Not `-best`, which would make -0.0 of 0.0.
        positions[rows] = places
    return scores, positions
