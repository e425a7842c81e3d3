"""Ranking a database for queries, in blocks, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from labelgraph.retrieval.codes import unpack_bits

SIMILARITIES = ("cosine", "dot", "hamming")
BLOCK_SCORES = 2**23  # 32 MiB of scores: enough rows for a fast product, little memory.
CACHED_RELEVANCE = 2**20  # What comes of a block is measured in parts that stay in the caches.
CACHED_KEYS = 2**17  # A thread sorts so many at a time: 1 MiB.


def ranked_relevance(
    query: Tensor,
    database: Tensor,
    query_labels: Tensor,
    database_labels: Tensor,
    similarity: str = "cosine",
    block_size: int | None = None,
) -> Iterator[Tensor]:
    r"""Rank the database for each query and tell, rank by rank, which items are relevant.

    An item is relevant if it shares a label with the query. Scores are compared in float32; equal ones
    keep the order of the database. Never is more than a block of queries times the database in memory.

    Every block size gives the same ranking of float64 embeddings, and of codes. A product of float32
    embeddings rounds differently with the size of a block, so that scores equal but for the last bit may
    change places; that moves mAP by about 1e-6, and the product takes half the time.

    Args:
        query: Embeddings, shape :math:`(Q, H)`; for ``hamming`` codes of `pack_bits`, uint8.
        database: Embeddings, shape :math:`(N, H)`, or codes.
        query_labels: Multi-hot, shape :math:`(Q, C)`.
        database_labels: Multi-hot, shape :math:`(N, C)`.
        similarity: ``"cosine"``, ``"dot"``, or ``"hamming"``, by rising distance of packed codes.
        block_size: Queries a block; by default as many as keep a block within 8 million scores.

    Yields:
        Relevance in ranked order, 0 or 1, uint8, shape :math:`(b, N)`, for block after block of queries.

    Raises:
        ValueError: If shapes disagree, a side is empty, or an embedding is not finite.

    Example:
        >>> import torch
        >>> from labelgraph.retrieval import ranked_relevance
        >>> database = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> list(ranked_relevance(database[:1], database, torch.eye(3)[:1], torch.eye(3)))
        [tensor([[1, 0, 0]], dtype=torch.uint8)]
    """
    _check(query, database, query_labels, database_labels, similarity)
    if similarity == "hamming":
        # The product of codes of -1 and 1 is their length less twice their distance.
        query, database = (unpack_bits(side, 8 * side.shape[1]) for side in (query, database))
    # At least float32: codes may come in small integers, whose sums overflow.
    precision = torch.promote_types(torch.promote_types(query.dtype, database.dtype), torch.float32)
    query, database = query.detach().to(precision), database.detach().to(precision)
    if similarity == "cosine":
        query, database = F.normalize(query), F.normalize(database)
    query_labels, database_labels = query_labels.float(), database_labels.float()
    block_size = block_size or max(1, BLOCK_SCORES // len(database))
    # Kept from block to block: memory taken anew would be faulted in page by page each time.
    products = query.new_empty(min(block_size, len(query)), len(database))
    shared = query_labels.new_empty(products.shape)
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for start in range(0, len(query), block_size):
            rows = slice(start, start + block_size)
            part = len(query[rows])
            scores = torch.mm(query[rows], database.t(), out=products[:part]).float()
            relevant = torch.mm(query_labels[rows], database_labels.t(), out=shared[:part]) > 0
            on_cpu = scores.device.type == "cpu"
            ranked = _by_score(scores, relevant, pool) if on_cpu else _by_score_on_device(scores, relevant)
            yield from ranked.split(max(1, CACHED_RELEVANCE // len(database)))


def _by_score_on_device(scores: Tensor, relevant: Tensor) -> Tensor:
    """Relevance of each row in the order of falling scores; a stable sort keeps ties in place."""
    order = scores.sort(stable=True, dim=1, descending=True).indices
    return relevant.gather(1, order).to(torch.uint8)


def _by_score(scores: Tensor, relevant: Tensor, pool: ThreadPoolExecutor) -> Tensor:
    """The same on a CPU, several times faster: threads sort integers that stay in their caches."""
    ranked = torch.empty(scores.shape, dtype=torch.uint8)
    step = max(1, CACHED_KEYS // scores.shape[1])
    arrays = scores.numpy(), relevant.numpy(), ranked.numpy()
    parts = [tuple(array[start : start + step] for array in arrays) for start in range(0, len(scores), step)]
    list(pool.map(lambda part: _rank_rows(*part), parts))
    return ranked


def _rank_rows(scores: np.ndarray, relevant: np.ndarray, ranked: np.ndarray) -> None:
    """Pack score, place and relevance into one integer, so that one plain sort carries all three.

    The high 32 bits order scores from high to low: the bits of a float, with all but the sign flipped
    where it is negative, order as integers do. Below them stand the place in the database, which breaks
    ties, and the relevance in the last bit.
    """
    bits = (0.0 - scores).view(np.int32)  # Not `-scores`, which would tell 0.0 from -0.0.
    bits ^= (bits >> 31) & 0x7FFFFFFF
    keys = bits.astype(np.int64)
    keys <<= 32
    keys += np.arange(0, 2 * scores.shape[1], 2)
    keys += relevant
    keys.sort(axis=1)
    np.bitwise_and(keys, 1, out=ranked, casting="unsafe")


def _check(query: Tensor, database: Tensor, query_labels: Tensor, database_labels: Tensor, similarity: str) -> None:
    if similarity not in SIMILARITIES:
        raise ValueError(f"'similarity' must be one of {', '.join(SIMILARITIES)} (got {similarity!r})")
    sides = (("query", query, query_labels), ("database", database, database_labels))
    for name, embedding, labels in sides:
        if embedding.ndim != 2 or len(embedding) == 0:
            raise ValueError(f"'{name}' must be a matrix with at least one row (got shape {tuple(embedding.shape)})")
        if labels.ndim != 2 or len(labels) != len(embedding):
            raise ValueError(
                f"'{name}_labels' must have {len(embedding)} rows, as '{name}' has (got shape {tuple(labels.shape)})"
            )
        if similarity == "hamming" and embedding.dtype != torch.uint8:
            raise ValueError(f"'{name}' must be codes of 'pack_bits', uint8, for 'hamming' (got {embedding.dtype})")
        # A sum is not finite if a summand is not; the slower look is for sums that only grow too large.
        if not torch.isfinite(embedding.sum()) and not torch.isfinite(embedding).all():
            raise ValueError(f"'{name}' must be finite (got NaN or infinity)")
    for name, left, right in (
        ("database", query, database),
        ("database_labels", query_labels, database_labels),
    ):
        if left.shape[1] != right.shape[1]:
            raise ValueError(f"'{name}' must have {left.shape[1]} columns, as the query has (got {right.shape[1]})")
