"""Exact nearest neighbours by any similarity, in blocks, so that the matrix of all scores is never in memory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.devices import in_threads
from labelgraph._core.embeddings import Embeddings, as_embeddings, check_comparable, score_blocks
from labelgraph._core.similarity import SIMILARITIES, SPARSE, unit_length
from labelgraph._core.sparse_rows import FEW_QUERIES
from labelgraph.search.first_look import promising_items
from labelgraph.search.nearest import Nearest
from labelgraph.search.neighbours import check_k


def nearest_neighbours(query: Any, database: Any, k: int, similarity: str | None = None) -> tuple[Tensor, Tensor]:
    """Find the nearest neighbours exactly, in blocks; items with equal scores are in the order of their positions.

    Args:
        query: `Embeddings`, or a matrix of torch, NumPy or lists, shape (Q, H), or (Q, B) for codes.
        database: Embeddings or a matrix of N items, of the same kind.
        k: Number of neighbours; at most N are returned.
        similarity: Similarity of matrices that are no `Embeddings`; cosine by default. Codes need ``"hamming"``.

    Returns:
        Scores and positions, int64, both of the shape (Q, min(k, N)). Scores are float32 and descending; Hamming
        distances are int32 and ascending.

    Raises:
        ValueError: If a side is empty, not finite or not numbers, the sides differ in kind, or ``k`` is below 1.

    Example:
        >>> import torch
        >>> from labelgraph.search import nearest_neighbours
        >>> nearest_neighbours([[1.0, 0.0]], [[0.0, 1.0], [2.0, 0.0], [1.0, 0.0]], 2)
        (tensor([[1., 1.]]), tensor([[1, 2]]))
        >>> codes = torch.tensor([[0b1111], [0b0001], [0b0000]], dtype=torch.uint8)
        >>> nearest_neighbours(codes[2:], codes, 2, "hamming")
        (tensor([[0, 1]], dtype=torch.int32), tensor([[2, 1]]))
    """
    asked, held = as_embeddings("query", query, similarity), as_embeddings("database", database, similarity)
    check_comparable(asked, held)
    return find(comparable(asked.to("cpu")), comparable(held.to("cpu")), check_k(k))


def comparable(embeddings: Embeddings) -> Embeddings:
    """Convert embeddings for `find`: to float32, and for cosines to unit length."""
    vectors = embeddings.vectors
    if embeddings.similarity != "hamming":
        if embeddings.similarity == "cosine":  # Before float32, which has no numbers as small as those of float64.
            vectors = unit_length(vectors.to(torch.promote_types(vectors.dtype, torch.float32)))
        vectors = vectors.to(torch.float32)
    return embeddings._with(vectors.contiguous())  # Finite, as rows of embeddings are short enough for float32.


def find(query: Embeddings, database: Embeddings, k: int, held: tuple[Any, ...] | None = None) -> tuple[Tensor, Tensor]:
    """Find the nearest neighbours of embeddings from `comparable`; either side may be empty.

    Args:
        query: The queries.
        database: The items.
        k: Number of neighbours.
        held: For sparse similarities, the result of `Similarity.hold` for the database in float32, if it is known.
    """
    k = min(k, len(database))
    if not len(query) or not k:
        dtype = torch.int32 if query.similarity == "hamming" else torch.float32
        return torch.empty(len(query), k, dtype=dtype), torch.empty(len(query), k, dtype=torch.long)
    if query.similarity == "hamming":
        return _hamming_neighbours(query.vectors, database.vectors, k)
    if query.similarity in SPARSE:
        return _sparse_neighbours(query, database, k, held)
    return _vector_neighbours(query, database, k)


# A block of 1024 x 384 products, 1.5 MiB: large enough for a fast product, small enough for the caches.
BLOCK_QUERIES = 2**10
BLOCK_ITEMS = 6 * 2**6  # A multiple of `RUN`.
BLOCK_SCORES = BLOCK_QUERIES * BLOCK_ITEMS  # Of fewer queries, with more items.
THREAD_QUERIES = 2**6  # Least number of queries of a thread.
THREAD_SCORES = 2**24  # Least number of scores of all threads, so that their start takes no time that counts.
# Dot products with fewer queries are faster than a product of matrices, and need no blocks for the caches.
DOT_QUERIES = 4
DOT_ITEMS = 2**17
RUN = 2**6
SPARSE_BLOCK_ITEMS = 2**14
ROWS = 2**13  # Rows of items that are read at a time for few queries, so that every step finds them in the cache.


Keys = Callable[[slice, Tensor], Tensor]


def _vector_neighbours(query: Embeddings, database: Embeddings, k: int) -> tuple[Tensor, Tensor]:
    """Find the items with the highest scores; return descending scores, float32, and positions, both (Q, k)."""
    scores = torch.empty(len(query), k)
    positions = torch.empty(len(query), k, dtype=torch.long)
    for first in range(0, len(query), BLOCK_QUERIES):
        rows = slice(first, first + BLOCK_QUERIES)
        look = _compare if query.similarity == "jaccard" else _look_twice
        scores[rows], positions[rows] = look(query[rows], database, k)
    return scores, positions


def _look_twice(query: Embeddings, database: Embeddings, k: int) -> tuple[Tensor, Tensor]:
    """Find the highest inner products of a block of queries, among promising items if these are few."""
    parts = promising_items(query.vectors, database.vectors, k)
    if parts is None:
        return _compare(query, database, k)
    scores, positions = [], []
    for rows, items in parts:
        best, places = _compare(query[rows], database[items], k)
        scores.append(best)
        positions.append(items[places])
    return torch.cat(scores), torch.cat(positions)


def _compare(query: Embeddings, database: Embeddings, k: int) -> tuple[Tensor, Tensor]:
    """Find the highest scores of a block of queries among all items; each thread takes some of many queries.

    A thread multiplies and chooses on its own, and does not wait for others at each block.
    """
    threads = min(torch.get_num_threads(), len(query) // THREAD_QUERIES)
    if threads < 2 or len(query) * len(database) < THREAD_SCORES:
        return _compare_some(query, database, k)
    edges = [len(query) * part // threads for part in range(threads + 1)]
    parts = [query[slice(*ends)] for ends in itertools.pairwise(edges)]
    found = in_threads(lambda part: _compare_some(part, database, k), parts)
    scores, positions = (torch.cat(each) for each in zip(*found, strict=True))
    return scores, positions


def _compare_some(query: Embeddings, database: Embeddings, k: int) -> tuple[Tensor, Tensor]:
    nearest = Nearest(len(query), k, np.float32)
    keys_of = _jaccard_keys(query, database) if query.similarity == "jaccard" else _product_keys(query, database)
    items = DOT_ITEMS if len(query) < DOT_QUERIES else max(BLOCK_ITEMS, BLOCK_SCORES // len(query) // RUN * RUN)
    room = torch.empty(len(query) * min(items + RUN, len(database)))
    # The last block has the items of a run or more: products of very few columns are rounded in another way.
    edges = [*range(0, max(1, len(database) - RUN + 1), items), len(database)]
    for start, end in itertools.pairwise(edges):
        size = end - start
        keys = keys_of(slice(start, end), room[: len(query) * size].view(len(query), size))
        # PyTorch finds the minimum of each run several times faster than NumPy compares all keys.
        lowest = None if size % RUN else keys.view(len(query), -1, RUN).amin(2).numpy()
        nearest.add(keys.numpy(), start, lowest)
    best, positions = map(torch.from_numpy, nearest.result())
    return 0.0 - best, positions  # Not `-best`, which would make -0.0 of 0.0.


def _product_keys(query: Embeddings, database: Embeddings) -> Keys:
    negative = -query.vectors  # The smallest are wanted.
    if len(query) < DOT_QUERIES:
        rows, held = negative.numpy(), database.vectors.numpy()

        def keys(block: slice, out: Tensor) -> Tensor:
            for row, scores in zip(rows, out.numpy(), strict=True):
                np.vecdot(held[block], row, out=scores)
            return out

        return keys
    return lambda block, out: torch.mm(negative, database.vectors[block].t(), out=out)


def _jaccard_keys(query: Embeddings, database: Embeddings) -> Keys:
    similarity = SIMILARITIES["jaccard"]
    asked = similarity.prepare(query, torch.float32)

    def keys(block: slice, out: Tensor) -> Tensor:
        return similarity.score(asked, similarity.prepare(database[block], torch.float32), out).neg_()

    return keys


def _sparse_neighbours(
    query: Embeddings, database: Embeddings, k: int, held: tuple[Any, ...] | None
) -> tuple[Tensor, Tensor]:
    """Find the items with the highest scores, like `_vector_neighbours`; inverted lists give those of all items."""
    if held is None and len(query) <= FEW_QUERIES:
        return _few_sparse_neighbours(query, database, k)
    scores = torch.empty(len(query), k)
    positions = torch.empty(len(query), k, dtype=torch.long)
    for rows, block in score_blocks(query, database, held=held):
        nearest = Nearest(len(block), k, np.float32)
        keys = block.neg_().numpy()
        for start in range(0, len(database), SPARSE_BLOCK_ITEMS):
            nearest.add(keys[:, start : start + SPARSE_BLOCK_ITEMS], start)
        best, places = map(torch.from_numpy, nearest.result())
        scores[rows] = 0.0 - best
        positions[rows] = places
    return scores, positions


def _few_sparse_neighbours(query: Embeddings, database: Embeddings, k: int) -> tuple[Tensor, Tensor]:
    """Find the items with the highest scores without inverted lists, by one reading of the rows of all items."""
    nearest = Nearest(len(query), k, np.float32)
    for start in range(0, len(database), ROWS):
        for _, block in score_blocks(query, database[start : start + ROWS], len(query)):
            nearest.add(block.neg_().numpy(), start)
    best, positions = map(torch.from_numpy, nearest.result())
    return 0.0 - best, positions


CODE_BLOCK_QUERIES = 2**4
CODE_BLOCK_WORDS = 2**18  # Of 64 bits, 2 MiB: they fit in the caches.
WORDS: dict[int, type[np.unsignedinteger]] = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def _hamming_neighbours(query: Tensor, database: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Find the codes with the fewest different bits; neither side is empty.

    Args:
        query: Codes of `pack_bits`, uint8, shape (Q, B), with B bytes per code.
        database: Codes, uint8, shape (N, B).
        k: Number of neighbours, at most N.

    Returns:
        Ascending distances, int32, and positions, int64, both of the shape (Q, k).
    """
    words, items = _as_words(query.numpy()), _as_words(database.numpy())
    parts = [words[first : first + CODE_BLOCK_QUERIES] for first in range(0, len(words), CODE_BLOCK_QUERIES)]
    threads = min(torch.get_num_threads(), len(parts))
    if threads == 1:  # To start a thread takes longer than to compare a query.
        results = [_search(part, items, k) for part in parts]
    else:
        with ThreadPoolExecutor(threads) as pool:
            results = list(pool.map(lambda part: _search(part, items, k), parts))
    distances = np.concatenate([keys for keys, _ in results]).astype(np.int32)
    positions = np.concatenate([places for _, places in results])
    return torch.from_numpy(distances), torch.from_numpy(positions)


def _as_words(codes: np.ndarray) -> np.ndarray:
    """View codes (N, B) as words (N, W), of the widest type whose size divides B.

    Codes are not padded as in `code_words`: for one query, the copy of the database would take longer than the search.
    """
    return np.ascontiguousarray(codes).view(WORDS[math.gcd(codes.shape[1], 8)])


def _search(query: np.ndarray, items: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    bits = 8 * items.itemsize * items.shape[1]
    dtype = np.uint8 if bits < 255 else np.uint16
    nearest = Nearest(len(query), k, dtype)
    size = CODE_BLOCK_WORDS // len(query)
    for start in range(0, len(items), size):
        block = items[start : start + size]
        distances = np.bitwise_count(query[:, :1] ^ block[:, 0])
        for word in range(1, items.shape[1]):
            distances = np.add(distances, np.bitwise_count(query[:, word : word + 1] ^ block[:, word]), dtype=dtype)
        nearest.add(distances, start)
    return nearest.result()
