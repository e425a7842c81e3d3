"""Ranking of a database for queries, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from labelgraph._core.packed_bits import code_words, in_parts, rank_codes, unpack_bits
from labelgraph.metrics.grades import Relevance, RelevanceRows

SIMILARITIES = ("cosine", "dot", "hamming")
LONGEST = 1e19  # No product of two such rows is beyond float32.


@dataclass(frozen=True)
class RankingInputs:
    """Queries, a database, how they compare, what is relevant, and which of the queries are ranked."""

    query: Tensor
    database: Tensor
    similarity: str
    relevance: RelevanceRows
    ranked: slice

    @classmethod
    def checked(
        cls,
        query: Tensor,
        database: Tensor,
        query_labels: Tensor | None,
        database_labels: Tensor | None,
        similarity: str,
        relevance: Relevance,
        query_ids: Tensor | None,
        database_ids: Tensor | None,
    ) -> RankingInputs:
        """Check all arguments, which are those of `ranked_relevance`, and rank all queries.

        Raises:
            ValueError: If shapes disagree, a side is empty, or an embedding is not finite.
        """
        _check(query, database, similarity)
        size = len(query), len(database)
        rows = RelevanceRows(relevance, query_labels, database_labels, query_ids, database_ids, size)
        if query.shape[1] != database.shape[1]:
            raise ValueError(
                f"'database' must have {query.shape[1]} columns, as the query has (got {database.shape[1]})"
            )
        return cls(query.detach(), database.detach(), similarity, rows, slice(0, len(query)))

    def blocks(self, block_size: int) -> Iterator[slice]:
        """The queries to rank, block by block."""
        for start in range(self.ranked.start, self.ranked.stop, block_size):
            yield slice(start, min(start + block_size, self.ranked.stop))

    @property
    def counts_bits(self) -> bool:
        """Whether distances of packed codes can be counted instead of multiplied: on a CPU."""
        return self.similarity == "hamming" and self.query.device.type == "cpu"

    def grade_arrays(self, rows: slice) -> list[np.ndarray]:
        """Grades for some queries, and what is excluded where there are ids."""
        grades, excluded = self.relevance(rows)
        return [grades.numpy()] if excluded is None else [grades.numpy(), excluded.numpy()]


def score_blocks(inputs: RankingInputs, block_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Scores in float32 and grades, both (b, N), in memory used again; what is excluded scores -inf."""
    query, database = inputs.query, inputs.database
    if inputs.similarity == "hamming":
        # The product of codes of -1 and 1 is their length less twice their distance.
        query, database = (unpack_bits(side, 8 * side.shape[1]) for side in (query, database))
    # At least float32: codes may come in small integers, whose sums overflow.
    precision = torch.promote_types(torch.promote_types(query.dtype, database.dtype), torch.float32)
    query, database = query.to(precision), database.to(precision)
    if inputs.similarity == "cosine":
        query, database = F.normalize(query), F.normalize(database)
    # Kept from block to block: memory taken anew would be faulted in page by page each time.
    products = query.new_empty(min(block_size, len(query)), len(database))
    for rows in inputs.blocks(block_size):
        scores = torch.mm(query[rows], database.t(), out=products[: len(query[rows])]).float()
        grades, excluded = inputs.relevance(rows)
        yield (scores if excluded is None else scores.masked_fill_(excluded, -torch.inf)), grades


def _check(query: Tensor, database: Tensor, similarity: str) -> None:
    if similarity not in SIMILARITIES:
        raise ValueError(f"'similarity' must be one of {', '.join(SIMILARITIES)} (got {similarity!r})")
    for name, embedding in (("query", query), ("database", database)):
        if embedding.ndim != 2 or len(embedding) == 0:
            raise ValueError(f"'{name}' must be a matrix with at least one row (got shape {tuple(embedding.shape)})")
        if similarity == "hamming" and embedding.dtype != torch.uint8:
            raise ValueError(f"'{name}' must be codes of 'pack_bits', uint8, for 'hamming' (got {embedding.dtype})")
        if similarity != "hamming":
            check_finite(name, embedding)


def check_finite(name: str, embedding: Tensor) -> None:
    """Refuse embeddings that are not finite, or so long that their products in float32 are not."""
    numbers = embedding.detach() if embedding.is_floating_point() else embedding.float()
    length = torch.linalg.vector_norm(numbers, dim=1, dtype=torch.promote_types(numbers.dtype, torch.float32))
    if (length < LONGEST).all():
        return
    if not torch.isfinite(numbers).all():
        raise ValueError(f"'{name}' must be finite (got NaN or infinity)")
    raise ValueError(f"'{name}' must have rows no longer than {LONGEST:g} (got {length.max().item():.3g})")


BLOCK_SCORES = 2**23  # 32 MiB of scores: enough rows for a fast product, little memory.
CACHED_RELEVANCE = 2**20  # What comes of a block is measured in parts that stay in the caches.
CACHED_KEYS = 2**17  # A thread sorts so many at a time: 1 MiB.


def ranked_relevance(
    query: Tensor,
    database: Tensor,
    query_labels: Tensor | None = None,
    database_labels: Tensor | None = None,
    similarity: str = "cosine",
    block_size: int | None = None,
    *,
    relevance: Relevance = "shared",
    query_ids: Tensor | None = None,
    database_ids: Tensor | None = None,
) -> Iterator[Tensor]:
    r"""Rank the database for each query and tell, rank by rank, which items are relevant.

    Scores are compared in float32; equal ones keep the order of the database. Never is more than a block of
    queries times the database in memory. Codes on a CPU are ranked by counting, without a product or a sort of
    scores.

    Every block size gives the same ranking of float64 embeddings, and of codes. A product of float32
    embeddings rounds differently with the size of a block, so that scores equal but for the last bit may
    change places; that moves mAP by about 1e-6, and the product takes half the time.

    Args:
        query: Embeddings, shape :math:`(Q, H)`; for ``hamming`` codes of `pack_bits`, uint8.
        database: Embeddings, shape :math:`(N, H)`, or codes.
        query_labels: Multi-hot, shape :math:`(Q, C)`; not needed where ``relevance`` is a matrix.
        database_labels: Multi-hot, shape :math:`(N, C)`.
        similarity: ``"cosine"``, ``"dot"``, or ``"hamming"``, by rising distance of packed codes.
        block_size: Queries a block; by default as many as keep a block within 8 million scores.
        relevance: ``"shared"``: an item is relevant if it shares a label with the query. ``"graded"``: the number
            of labels that they share. Or the grades, shape :math:`(Q, N)`, whole numbers from 0 to 255 or bool; or a
            function that gives them, shape :math:`(b, N)`, from the labels of :math:`b` queries and of the database.
        query_ids: Whole numbers, shape :math:`(Q,)`, with ``database_ids``, :math:`(N,)`: an item of the same id
            as the query is left out. It stands at the end of the ranking and is not relevant, so that no metric
            counts it.
        database_ids: See ``query_ids``.

    Yields:
        Relevance in ranked order, shape :math:`(b, N)`, for block after block of queries: 0 or 1, uint8; or
        grades, int32.

    Raises:
        ValueError: If shapes disagree, a side is empty, or an embedding is not finite.

    Example:
        >>> import torch
        >>> from labelgraph.metrics import ranked_relevance
        >>> database = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> list(ranked_relevance(database[:1], database, torch.eye(3)[:1], torch.eye(3)))
        [tensor([[1, 0, 0]], dtype=torch.uint8)]
        >>> graded = torch.tensor([[2, 0, 1]])
        >>> list(ranked_relevance(database[:1], database, relevance=graded))
        [tensor([[2, 1, 0]], dtype=torch.int32)]
    """
    inputs = RankingInputs.checked(
        query, database, query_labels, database_labels, similarity, relevance, query_ids, database_ids
    )
    yield from ranked_blocks(inputs, block_size)


def ranked_blocks(inputs: RankingInputs, block_size: int | None) -> Iterator[Tensor]:
    """The same for inputs that were checked."""
    block_size = rows_a_block(inputs, block_size)
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        blocks = _by_distance(inputs, block_size, pool) if inputs.counts_bits else _ranked(inputs, block_size, pool)
        for ranked in blocks:
            yield from ranked.split(max(1, CACHED_RELEVANCE // ranked.shape[1]))


def as_binary(grades: Tensor) -> Tensor:
    """Grades as `ranked_relevance` yields them as relevant or not, 1 or 0, uint8."""
    return grades if grades.dtype == torch.uint8 else (grades > 0).to(torch.uint8)


def rows_a_block(inputs: RankingInputs, block_size: int | None) -> int:
    """How many queries are ranked at a time."""
    if block_size is not None and block_size < 1:
        raise ValueError(f"'block_size' must be at least 1 (got {block_size})")
    return block_size or max(1, BLOCK_SCORES // len(inputs.database))


def _ranked(inputs: RankingInputs, block_size: int, pool: ThreadPoolExecutor) -> Iterator[Tensor]:
    for scores, grades in score_blocks(inputs, block_size):
        on_cpu = scores.device.type == "cpu"
        yield _by_score(scores, grades, pool) if on_cpu else _by_score_on_device(scores, grades)


def _by_distance(inputs: RankingInputs, block_size: int, pool: ThreadPoolExecutor) -> Iterator[Tensor]:
    query, database = code_words(inputs.query), np.ascontiguousarray(code_words(inputs.database).T)
    step = max(1, CACHED_KEYS // len(inputs.database))
    for rows in inputs.blocks(block_size):
        arrays = [query[rows], *inputs.grade_arrays(rows)]
        ranked = in_parts(pool, partial(rank_codes, database), step, *arrays)
        yield torch.from_numpy(np.concatenate(ranked))


def _by_score_on_device(scores: Tensor, relevant: Tensor) -> Tensor:
    """Relevance of each row in the order of falling scores; a stable sort keeps ties in place."""
    order = scores.sort(stable=True, dim=1, descending=True).indices
    ranked = relevant.gather(1, order)
    return ranked.to(torch.uint8) if relevant.dtype == torch.bool else ranked


def _by_score(scores: Tensor, relevant: Tensor, pool: ThreadPoolExecutor) -> Tensor:
    """The same on a CPU, several times faster: threads sort integers that stay in their caches."""
    binary = relevant.dtype == torch.bool
    bits = 1 if binary else max(1, int(relevant.max()).bit_length())
    if scores.shape[1] << bits > 2**32:
        return _by_score_on_device(scores, relevant)  # Place and grade do not fit into half an integer.
    ranked = torch.empty(scores.shape, dtype=torch.uint8 if binary else torch.int32)
    step = max(1, CACHED_KEYS // scores.shape[1])
    arrays = scores.numpy(), relevant.numpy(), ranked.numpy()
    in_parts(pool, partial(_rank_rows, bits=bits), step, *arrays)
    return ranked


def _rank_rows(scores: np.ndarray, relevant: np.ndarray, ranked: np.ndarray, bits: int = 1) -> None:
    """Pack score, place and relevance into one integer, so that one plain sort carries all three.

    The high 32 bits order scores from high to low: the bits of a float, with all but the sign flipped
    where it is negative, order as integers do. Below them stand the place in the database, which breaks
    ties, and the relevance in the last bits.
    """
    key = (0.0 - scores).view(np.int32)  # Not `-scores`, which would tell 0.0 from -0.0.
    key ^= (key >> 31) & 0x7FFFFFFF
    keys = key.astype(np.int64)
    keys <<= 32
    keys += np.arange(0, scores.shape[1] << bits, 1 << bits)
    keys += relevant
    keys.sort(axis=1)
    np.bitwise_and(keys, (1 << bits) - 1, out=ranked, casting="unsafe")
