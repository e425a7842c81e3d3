"""Exact search by the largest product, which is the cosine of unit vectors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from labelgraph.search.nearest import Nearest

# A block of 512 x 4096 products, 8 MiB: large enough for a fast product, small enough for the caches.
BLOCK_QUERIES = 2**9
BLOCK_ITEMS = 2**12


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
            out = products[: len(part) * len(block)].view(len(part), len(block))
            nearest.add(torch.mm(part, block.t(), out=out).numpy(), start)
        scores[rows] = 0.0 - torch.from_numpy(nearest.keys)  # Not `-keys`, which would make -0.0 of 0.0.
        positions[rows] = torch.from_numpy(nearest.positions)
    return scores, positions
