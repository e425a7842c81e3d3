"""Exact search by the smallest Hamming distance of packed codes."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from labelgraph.retrieval.hamming import count_bits
from labelgraph.search.nearest import Nearest

# A block of 16 x 16384 words, 2 MiB for codes of 64 bits, which stays in the caches.
BLOCK_QUERIES = 2**4
BLOCK_ITEMS = 2**14
WORDS: dict[int, type[np.unsignedinteger]] = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def hamming_neighbours(query: Tensor, database: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Find the codes with the fewest different bits, exactly, block by block; equal ones by position.

    Args:
        query: Codes of `pack_bits`, uint8, shape (Q, B) with B bytes a code.
        database: Codes, uint8, shape (N, B).
        k: How many; at most N are given.

    Returns:
        Rising distances, int32, and positions, int64, both of the shape (Q, min(k, N)).

    Example:
        >>> import torch
        >>> from labelgraph.search import hamming_neighbours
        >>> codes = torch.tensor([[0b1111], [0b0001], [0b0000]], dtype=torch.uint8)
        >>> hamming_neighbours(codes[2:], codes, 2)
        (tensor([[0, 1]], dtype=torch.int32), tensor([[2, 1]]))
    """
    k = min(k, len(database))
    if not len(query) or not k:
        return torch.empty(len(query), k, dtype=torch.int32), torch.empty(len(query), k, dtype=torch.long)
    words, items = as_words(query.numpy()), as_words(database.numpy())
    parts = [words[first : first + BLOCK_QUERIES] for first in range(0, len(words), BLOCK_QUERIES)]
    with ThreadPoolExecutor(min(torch.get_num_threads(), len(parts))) as pool:
        found = list(pool.map(lambda part: _search(part, items, k), parts))
    distances = np.concatenate([keys for keys, _ in found]).astype(np.int32)
    positions = np.concatenate([places for _, places in found])
    return torch.from_numpy(distances), torch.from_numpy(positions)


def as_words(codes: np.ndarray) -> np.ndarray:
    """View codes as words, as wide as divide their bytes: (N, B) as (N, W).

    Not filled up as by `code_words`: for one query a copy of the database would take longer than the search.
    """
    return np.ascontiguousarray(codes).view(WORDS[math.gcd(codes.shape[1], 8)])


def _search(query: np.ndarray, items: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    bits = 8 * items.itemsize * items.shape[1]
    dtype = np.uint8 if bits < 255 else np.uint16
    nearest = Nearest(len(query), k, dtype)
    for start in range(0, len(items), BLOCK_ITEMS):
        block = items[start : start + BLOCK_ITEMS]
        distances = count_bits(query[:, :1] ^ block[:, 0])
        for word in range(1, items.shape[1]):
            distances = np.add(distances, count_bits(query[:, word : word + 1] ^ block[:, word]), dtype=dtype)
        nearest.add(distances, start)
    return nearest.result()
