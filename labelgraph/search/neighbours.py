"""Exact nearest neighbours, block by block: largest products, smallest Hamming distances, merged shards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.packed_bits import count_bits


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


FEW = 64  # Candidates a query that are never too many, however small k is.


class Nearest:
    """The k smallest keys of each query, by rising key and then by position.

    Blocks come in the order of the database. An item is a candidate only if its key is below the k-th when
    candidates were last sorted: one that equals it comes later and loses. So few items have to be sorted, and
    not often.

    Args:
        num_queries: Number of queries Q.
        k: How many to keep; all places are filled once k items have come.
        dtype: Of the keys, float32 or unsigned of up to 32 bits; infinity and the largest unsigned are no keys.

    Example:
        >>> import numpy as np
        >>> from labelgraph.search.neighbours import Nearest
        >>> nearest = Nearest(1, 2, np.uint8)
        >>> nearest.add(np.array([[3, 1, 3]], np.uint8), start=0)
        >>> nearest.add(np.array([[3, 1]], np.uint8), start=3)
        >>> keys, positions = nearest.result()
        >>> keys.tolist(), positions.tolist()
        ([[1, 1]], [[1, 4]])
    """

    def __init__(self, num_queries: int, k: int, dtype: type[np.float32] | type[np.unsignedinteger]) -> None:
        worst = np.inf if issubclass(dtype, np.floating) else np.iinfo(dtype).max
        self._keys = np.full((num_queries, k), worst, dtype)
        self._positions = np.full((num_queries, k), -1, np.int64)
        # With more candidates they are sorted, or a block is taken in halves.
        self._many = num_queries * max(k, FEW)
        self._waiting: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Keys, rising, and positions, int64, both of the shape (Q, k)."""
        self._sort()
        return self._keys, self._positions

    def add(self, keys: np.ndarray, start: int, lowest: np.ndarray | None = None) -> None:
        """Take in some items.

        Args:
            keys: Of the items from position ``start`` on, shape (Q, n).
            start: Position of the first of them.
            lowest: The smallest key of each run of as many items, shape (Q, runs), if it is known: then only the
                runs that hold a candidate are looked through.
        """
        size = keys.shape[1]
        found = self._find(keys, lowest)
        if found.size > self._many:
            # What the first half brings leaves little of the second.
            half = size // 2
            self.add(keys[:, :half], start)
            self._sort()
            self.add(keys[:, half:], start + half)
        elif found.size:
            rows, columns = np.divmod(found, size)
            self._waiting.append((rows, keys[rows, columns], columns + start))
            if sum(len(rows) for rows, _, _ in self._waiting) > self._many:
                self._sort()

    def _find(self, keys: np.ndarray, lowest: np.ndarray | None) -> np.ndarray:
        """Flat indices of the candidates, rising."""
        worst = self._keys[:, -1:]
        if lowest is None:
            return np.flatnonzero(keys < worst)
        size = keys.size // lowest.size
        runs = np.flatnonzero(lowest < worst)
        looked_through = keys.reshape(-1, size)[runs] < worst[runs // lowest.shape[1]]
        which, inside = np.divmod(np.flatnonzero(looked_through), size)
        return runs[which] * size + inside

    def _sort(self) -> None:
        """Sort the candidates among those kept, and keep the first k of each query."""
        if not self._waiting:
            return
        num_queries, k = self._keys.shape
        kept = np.repeat(np.arange(num_queries), k), self._keys.ravel(), self._positions.ravel()
        rows, keys, positions = map(np.concatenate, zip(kept, *self._waiting, strict=True))
        self._waiting.clear()
        # One stable sort by query and key; equal ones stay in the order in which they came.
        order = (rows << 32 | _as_integers(keys)).argsort(kind="stable")
        counts = np.bincount(rows, minlength=num_queries)
        first = (np.cumsum(counts) - counts)[:, None] + np.arange(k)
        chosen = order[first]
        self._keys, self._positions = keys[chosen], positions[chosen]


def _as_integers(keys: np.ndarray) -> np.ndarray:
    """Integers from 0 to 2^32 in the order of the keys; those of negative floats have their bits flipped."""
    if keys.dtype != np.float32:
        return keys.astype(np.int64)
    bits = (keys + np.float32(0)).view(np.int32)  # -0.0 becomes 0.0, which it equals.
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64) + 2**31


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


# A block of 16 x 16384 words, 2 MiB for codes of 64 bits, which stays in the caches.
CODE_BLOCK_QUERIES = 2**4
CODE_BLOCK_ITEMS = 2**14
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
    parts = [words[first : first + CODE_BLOCK_QUERIES] for first in range(0, len(words), CODE_BLOCK_QUERIES)]
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
    for start in range(0, len(items), CODE_BLOCK_ITEMS):
        block = items[start : start + CODE_BLOCK_ITEMS]
        distances = count_bits(query[:, :1] ^ block[:, 0])
        for word in range(1, items.shape[1]):
            distances = np.add(distances, count_bits(query[:, word : word + 1] ^ block[:, word]), dtype=dtype)
        nearest.add(distances, start)
    return nearest.result()


def merge_neighbours(parts: Sequence[Neighbours], k: int) -> Neighbours:
    """Join the neighbours that the same queries have in each shard of a database.

    Where every shard gave its own first k (or all that it has), the result is that of the whole database, the shards
    one after the other; so a database may be shared out to processes, which gather what each has found.

    Args:
        parts: What a search gave in each shard, in the order of the shards; equal scores keep it.
        k: How many neighbours; fewer are given if there are fewer.

    Raises:
        ValueError: If there are no parts, they are not all cosines or all Hamming distances, or not of the same number
            of queries, or ``k`` is less than 1.

    Example:
        >>> import torch
        >>> from labelgraph.search import Neighbours, merge_neighbours
        >>> first = Neighbours([["a", "b"]], torch.tensor([[0.9, 0.4]]))
        >>> second = Neighbours([["c"]], torch.tensor([[0.7]]))
        >>> merge_neighbours([first, second], 2)
        Neighbours(ids=[['a', 'c']], scores=tensor([[0.9000, 0.7000]]))
    """
    _check(parts, k)
    scores = torch.cat([part.scores for part in parts], dim=1)
    order = scores.argsort(dim=1, descending=scores.is_floating_point(), stable=True)[:, :k]
    rows = order.tolist()
    ids, titles = (
        [[joined[place] for place in row] for joined, row in zip(map(_chain, *columns), rows, strict=True)]
        for columns in ([part.ids for part in parts], [part.titles or part.ids for part in parts])
    )
    return Neighbours(ids, scores.gather(1, order), titles)


def _chain(*lists: list[str]) -> list[str]:
    return [each for part in lists for each in part]


def _check(parts: Sequence[Neighbours], k: int) -> None:
    if k < 1:
        raise ValueError(f"'k' must be at least 1 (got {k})")
    if not parts:
        raise ValueError("'parts' must be at least one (got none)")
    queries = {len(part.scores) for part in parts}
    if len(queries) > 1:
        raise ValueError(f"'parts' must be of the same queries (got {', '.join(map(str, sorted(queries)))} queries)")
    if len({part.scores.is_floating_point() for part in parts}) > 1:
        raise ValueError("'parts' must be all cosines or all Hamming distances (got both)")
