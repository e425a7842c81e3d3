"""Ranking of a database for queries, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.embeddings import BLOCK_SCORES, Embeddings, Vectors, as_embeddings, check_comparable, score_blocks
from labelgraph._core.packed_bits import code_words, in_parts, rank_codes
from labelgraph.metrics.grades import HIGHEST_GRADE, Relevance, RelevanceRows
from labelgraph.metrics.item_values import ItemValues
from labelgraph.metrics.ranked import check_cuts


@dataclass(frozen=True)
class RankingInputs:
    """Checked inputs of a ranking: queries, database, relevance, and the slice of the queries to rank."""

    query: Embeddings
    database: Embeddings
    relevance: RelevanceRows
    values: ItemValues
    ranked: slice

    @classmethod
    def checked(
        cls,
        query: Vectors,
        database: Vectors,
        query_labels: Any,
        database_labels: Any,
        similarity: str | None,
        relevance: Relevance,
        query_ids: Any,
        database_ids: Any,
        leave_out_own: bool = True,
    ) -> RankingInputs:
        """Check the arguments, see `ranked_relevance`; all queries are to be ranked.

        Raises:
            ValueError: If shapes do not match, a side is empty, or an embedding is not finite.
        """
        asks, has = as_embeddings("query", query, similarity), as_embeddings("database", database, similarity)
        size = len(asks), len(has)
        rows = RelevanceRows(relevance, query_labels, database_labels, query_ids, database_ids, size, leave_out_own)
        check_comparable(asks, has)
        return cls(asks, has, rows, ItemValues(rows.labels, rows.ids, leave_out_own), slice(0, len(asks)))

    @property
    def similarity(self) -> str:
        """The similarity of the queries and the database."""
        return self.query.similarity

    def blocks(self, block_size: int) -> Iterator[slice]:
        """Yield slices of the queries to rank, block by block."""
        for start in range(self.ranked.start, self.ranked.stop, block_size):
            yield slice(start, min(start + block_size, self.ranked.stop))

    @property
    def counts_bits(self) -> bool:
        """Whether distances of packed codes are counted from bits, not computed by a product: only on a CPU."""
        return self.similarity == "hamming" and self.query.vectors.device.type == "cpu"

    def grade_arrays(self, rows: slice) -> list[np.ndarray]:
        """Return the grades for some queries, and the mask of excluded items if there are ids."""
        grades, excluded = self.relevance(rows)
        return [grades.numpy()] if excluded is None else [grades.numpy(), excluded.numpy()]


def graded_blocks(inputs: RankingInputs, block_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield scores and grades, both (b, N), in memory that is reused; excluded items score -inf."""
    for rows, scores in score_blocks(inputs.query, inputs.database, block_size, inputs.ranked):
        grades, excluded = inputs.relevance(rows)
        grades = grades.to(scores.device)  # Those of sparse labels are counted on the CPU.
        yield (scores if excluded is None else scores.masked_fill_(excluded, -torch.inf)), grades


CACHED_RELEVANCE = 2**20  # Number of grades measured at a time, so that they stay in the processor cache.
PLACE_BITS = 8  # Lowest bits of an integer, which hold the grade; the higher bits hold the place.
# PyTorch sorts more integers than this by radix, if it is built with FBGEMM.
RADIX, RADIX_ITEMS = "fbgemm" in torch.backends.quantized.supported_engines, 2**15
# NumPy sorts longer integers of key and place faster than that with AVX2, but not with the AVX-512 of Zen 4
# (github.com/numpy/x86-simd-sort/issues/6).
PACKED = not RADIX or torch.backends.cpu.get_cpu_capability() == "AVX2"
CACHED_KEYS = 2**17  # Number of keys that a thread sorts at a time: 1 MiB.
FEW_TIES = 2**11  # Items for each tie that is put right by itself; of more ties, the longer keys are sorted.


def ranked_relevance(
    query: Vectors,
    database: Vectors,
    query_labels: Any = None,
    database_labels: Any = None,
    similarity: str | None = None,
    block_size: int | None = None,
    *,
    relevance: Relevance = "shared",
    query_ids: Any = None,
    database_ids: Any = None,
) -> Iterator[Tensor]:
    r"""Rank the database for each query, and yield the relevance of the items in ranked order.

    Scores are compared in float32; items of equal score keep the order of the database. At most one block of queries
    times the database is in memory. Codes on a CPU are ranked by counting, without a product or a sort of scores.

    For float64 embeddings and for codes, every block size gives the same ranking. The product of float32 embeddings
    takes half the time, but its rounding depends on the block size. Items whose scores only differ in the last bit may
    then change places, which changes mAP by about 1e-6.

    Args:
        query: Embeddings of the queries, shape :math:`(Q, H)`; for ``hamming``, codes of `pack_bits`, uint8.
        database: Embeddings of the database, of the same kind, shape :math:`(N, H)`.
        query_labels: Multi-hot labels, dense or sparse, shape :math:`(Q, C)`; not needed if ``relevance`` is a matrix.
        database_labels: Multi-hot labels, dense or sparse, shape :math:`(N, C)`.
        similarity: ``"cosine"``, ``"dot"``, or ``"hamming"``, by rising distance of packed codes.
        block_size: Number of queries per block; by default, a block has at most 8 million scores.
        relevance: ``"shared"``: an item is relevant if it shares a label with the query. ``"graded"``: the grade of an
            item is the number of labels that it shares with the query. A matrix: the grades, shape :math:`(Q, N)`,
            whole numbers from 0 to 255 or bool. A function: it computes the grades, shape :math:`(b, N)`, from the
            labels of :math:`b` queries and the labels of the database. Sparse labels are SciPy CSR arrays there, if
            they are more than ``DENSE_LABELS``.
        query_ids: Ids of the queries, whole numbers or texts, shape :math:`(Q,)`. An item with the same id as the query
            is left out: it is at the end of the ranking and not relevant, so that no metric counts it.
        database_ids: Ids of the database, of the same kind, shape :math:`(N,)`; see ``query_ids``.

    Yields:
        Relevance in ranked order, shape :math:`(b, N)`, block by block: 0 or 1, uint8; or grades, int32.

    Raises:
        ValueError: If shapes do not match, a side is empty, or an embedding is not finite.

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
    """Yield the relevance in ranked order for checked inputs; see `ranked_relevance`."""
    for ranked in _blocks(inputs, rows_a_block(inputs, block_size), placed=False):
        yield from ranked.split(max(1, CACHED_RELEVANCE // ranked.shape[1]))


def placed_blocks(inputs: RankingInputs, block_size: int | None) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yield queries, grades in ranked order, int32, and places of the ranked items in the database, (b, N)."""
    start = inputs.ranked.start
    for ranked in _blocks(inputs, rows_a_block(inputs, block_size), placed=True):
        for part in ranked.split(max(1, CACHED_RELEVANCE // ranked.shape[1])):
            yield slice(start, start + len(part)), (part & HIGHEST_GRADE).int(), part >> PLACE_BITS
            start += len(part)


def _blocks(inputs: RankingInputs, block_size: int, placed: bool) -> Iterator[Tensor]:
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        rank = _by_distance if inputs.counts_bits else _ranked
        yield from rank(inputs, block_size, pool, placed)


def _with_places(grades: Tensor) -> Tensor:
    """Combine the place of each item in the database and its grade in one integer, int64."""
    places = torch.arange(grades.shape[1], device=grades.device)
    return (places << PLACE_BITS) + grades


def rows_a_block(inputs: RankingInputs, block_size: int | None, scores: int | None = None) -> int:
    """Return the number of queries that are ranked at a time, by default so many that a block has ``scores`` scores."""
    if block_size is not None:
        check_cuts([block_size], "block_size")
    return block_size or max(1, (scores or BLOCK_SCORES) // len(inputs.database))


def _ranked(inputs: RankingInputs, block_size: int, pool: ThreadPoolExecutor, placed: bool) -> Iterator[Tensor]:
    for scores, grades in graded_blocks(inputs, block_size):
        if scores.device.type == "cpu":
            yield _by_score(scores, grades, pool, placed)
        else:
            yield _by_score_on_device(scores, _with_places(grades) if placed else grades)


def _by_distance(inputs: RankingInputs, block_size: int, pool: ThreadPoolExecutor, placed: bool) -> Iterator[Tensor]:
    query, database = code_words(inputs.query.vectors), np.ascontiguousarray(code_words(inputs.database.vectors).T)
    step = max(1, CACHED_KEYS // len(inputs.database))
    for rows in inputs.blocks(block_size):
        grades, excluded = inputs.relevance(rows)
        arrays = [_with_places(grades) if placed else grades] + ([] if excluded is None else [excluded])
        ranked = in_parts(pool, partial(rank_codes, database), step, query[rows], *(array.numpy() for array in arrays))
        yield torch.from_numpy(np.concatenate(ranked))


def _by_score_on_device(scores: Tensor, relevant: Tensor) -> Tensor:
    """Sort the relevance of each row by descending score; a stable sort keeps the order of ties."""
    order = scores.sort(stable=True, dim=1, descending=True).indices
    ranked = relevant.gather(1, order)
    return ranked.to(torch.uint8) if relevant.dtype == torch.bool else ranked


def _by_score(scores: Tensor, relevant: Tensor, pool: ThreadPoolExecutor, placed: bool = False) -> Tensor:
    """Sort relevance by descending score on a CPU; threads sort integers in the cache, several times faster."""
    binary = relevant.dtype == torch.bool
    bits = PLACE_BITS if placed else 1 if binary else max(1, int(relevant.max()).bit_length())
    long = RADIX and scores.shape[1] > RADIX_ITEMS
    if scores.shape[1] << bits > 2**32 and not long:  # Place and grade do not fit into 32 bits.
        return _by_score_on_device(scores, _with_places(relevant) if placed else relevant)
    ranked = torch.empty(scores.shape, dtype=torch.int64 if placed else torch.uint8 if binary else torch.int32)
    step = max(1, CACHED_KEYS // scores.shape[1])
    arrays = scores.numpy(), relevant.numpy(), ranked.numpy()
    if long:
        rank: Callable[..., None] = partial(_rank_long_rows, placed=placed)
    elif binary and not placed and _has_few_ties(*_half_keys(arrays[0][:1], arrays[1][:1])):
        rank = _rank_binary_rows
    else:
        rank = partial(_rank_rows, bits=bits, width=32 if placed else bits)
    in_parts(pool, rank, step, *arrays)
    return ranked


def _rank_long_rows(scores: np.ndarray, relevant: np.ndarray, ranked: np.ndarray, placed: bool) -> None:
    for key, grades, out in zip(ascending(scores), relevant, ranked, strict=True):
        order = order_of(key)
        out[:] = grades[order]
        if placed:
            out += order << PLACE_BITS


def order_of(key: np.ndarray) -> np.ndarray:
    """Order many items by their key, int32, and equal keys by their place; by radix, or as integers of both."""
    if not PACKED:
        return torch.sort(torch.from_numpy(key), stable=True).indices.numpy()
    placed = key.astype(np.int64) << 32
    placed |= np.arange(len(key))
    placed.sort()
    placed &= 0xFFFFFFFF
    return placed


def ascending(scores: np.ndarray) -> np.ndarray:
    """Convert float32 scores to integers that rise where scores fall.

    The bits of a float order like an integer if all bits but the sign are flipped for negative numbers.
    """
    key = (0.0 - scores).view(np.int32)  # `-scores` would separate 0.0 from -0.0.
    key ^= (key >> 31) & 0x7FFFFFFF
    return np.asarray(key)


def _rank_binary_rows(scores: np.ndarray, relevant: np.ndarray, ranked: np.ndarray) -> None:
    """Replace the lowest bit of a score by the relevance: half as long keys as in `_rank_rows` take half the time.

    Only items whose scores differ in no other bit may then be in a wrong order, and only if some of them are relevant
    and others not. Such items follow each other, so they are found and put right.
    """
    packed, mixed = _half_keys(scores, relevant)
    if not _has_few_ties(packed, mixed):
        _rank_rows(scores, relevant, ranked)
        return
    np.bitwise_and(packed, 1, out=ranked, casting="unsafe")
    for row, place in zip(*np.divmod(mixed, packed.shape[1] - 1), strict=True):
        keys = ascending(scores[row])
        tied = np.flatnonzero(keys & ~1 == packed[row, place])
        ordered = relevant[row, tied[keys[tied].argsort(kind="stable")]]
        start = place + 1 - np.count_nonzero(~ordered)  # Here, the last item of those that are not relevant is.
        ranked[row, start : start + len(tied)] = ordered


def _half_keys(scores: np.ndarray, relevant: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted keys of `_rank_binary_rows`, and where both kinds of items tie."""
    keys = ascending(scores)
    keys &= ~1
    keys |= relevant
    keys.sort(axis=1)
    return keys, np.flatnonzero((keys[:, 1:] ^ keys[:, :-1]) == 1)


def _has_few_ties(keys: np.ndarray, mixed: np.ndarray) -> bool:
    return len(mixed) <= keys.size // FEW_TIES


def _rank_rows(scores: np.ndarray, relevant: np.ndarray, ranked: np.ndarray, bits: int = 1, width: int = 0) -> None:
    """Pack score, place and relevance into one integer, so that one plain sort orders all three.

    The high 32 bits order scores from high to low. The low 32 bits hold the place in the database, which breaks ties,
    and then the relevance. ``ranked`` receives the lowest ``width`` bits, by default only the relevance.
    """
    keys = ascending(scores).astype(np.int64)
    keys <<= 32
    keys += np.arange(0, scores.shape[1] << bits, 1 << bits)
    keys += relevant
    keys.sort(axis=1)
    np.bitwise_and(keys, (1 << (width or bits)) - 1, out=ranked, casting="unsafe")
