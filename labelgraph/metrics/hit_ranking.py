"""Rankings of which only the relevant items are kept, for sparse labels: few items of a large database are relevant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.embeddings import score_blocks
from labelgraph._core.packed_bits import code_words, distances, in_parts
from labelgraph.metrics.metric import Ranking
from labelgraph.metrics.ranked import GAINS, check_average_precision, discount_sums, hits_needed, ideal_dcg
from labelgraph.metrics.ranking import CACHED_RELEVANCE, RADIX_ITEMS, RankingInputs, ascending, order_of
from labelgraph.metrics.sparse_labels import SparseLabels

HIT_SCORES = 2**25  # 128 MiB of scores at a time: a product of few queries and many items would be slow.


class HitRanking(Ranking):
    """Ranks and grades of the relevant items of some queries; all other items are not relevant.

    Args:
        ranks: Ranks of the relevant items from 0, ascending, int64, (b, R).
        grades: Their grades, (b, R); 0 where a row has fewer than R relevant items.
        own: Rank from 1 of the first item that has the id of the query, float64, (b,); NaN without such an item.
        size: Number of items N.
        value: See `Ranking`.
    """

    def __init__(
        self, ranks: Tensor, grades: Tensor, own: Tensor, size: int, value: Callable[[str, int | None], Tensor]
    ) -> None:
        self._ranks, self._hit_grades, self._own, self._size, self._value = ranks, grades, own, size, value

    @property
    def grades(self) -> Tensor:
        """All grades in ranked order, int32, (b, N), for metrics that need them."""
        return self._scattered(self._size, self._hit_grades.int())

    @cached_property
    def num_relevant(self) -> Tensor:
        """Number of relevant items of each query, (b,)."""
        return self._hit.sum(1)

    @cached_property
    def _hit(self) -> Tensor:
        """Whether a place is not padding, (b, R)."""
        return self._hit_grades > 0

    @cached_property
    def _precisions(self) -> Tensor:
        """The precision at each relevant item, (b, R)."""
        number = torch.arange(1, self._ranks.shape[1] + 1, dtype=torch.float64)
        return number * (self._ranks + 1).double().reciprocal() * self._hit

    def _scattered(self, k: int, grades: Tensor) -> Tensor:
        """The grades of the first k items, (b, min(k, N))."""
        k = min(k, self._size)
        places = torch.where(self._hit, self._ranks, k).clamp_(max=k)
        return grades.new_zeros(len(places), k + 1).scatter_(1, places, grades)[:, :k]

    def first(self, k: int) -> Tensor:
        """1 or 0 for the first k items, uint8, (b, min(k, N))."""
        return self._scattered(k, self._hit.to(torch.uint8))

    def average_precision(self, k: int | None, definition: str) -> Tensor:
        """See `labelgraph.metrics.average_precision`."""
        check_average_precision(k, definition)
        k = self._size if k is None else k
        inside = torch.arange(self._ranks.shape[1]) < k if definition == "first-k" else self._ranks < k
        divisor = (inside & self._hit).sum(1) if definition == "topk" else self.num_relevant
        if definition in ("first-k", "min(k,R)"):
            divisor = divisor.clamp(max=k)
        return (self._precisions * inside).sum(1) / divisor.clamp(min=1)

    def r_precision(self) -> Tensor:
        """See `labelgraph.metrics.r_precision`."""
        inside = self._hit & (self._ranks < self.num_relevant[:, None])
        return inside.sum(1, dtype=torch.float64) / self.num_relevant.clamp(min=1)

    def precision_at_recall(self, level: float) -> Tensor:
        """See `labelgraph.metrics.precision_at_recall`."""
        needed = hits_needed(self.num_relevant, [level])
        if not self._ranks.shape[1]:
            return torch.zeros(len(needed), dtype=torch.float64)
        rank = self._ranks.gather(1, (needed - 1).clamp(max=self._ranks.shape[1] - 1))
        return torch.where(self.num_relevant > 0, (needed.double() / (rank + 1))[:, 0], 0.0)

    def ndcg(self, k: int | None, gain: str) -> Tensor:
        """See `labelgraph.metrics.ndcg_at`."""
        cut = min(k or self._size, self._size)
        discount = discount_sums(cut, self._ranks.device).diff()[self._ranks.clamp(max=cut - 1)]
        reached = GAINS[gain](self._hit_grades) * discount * (self._ranks < cut)
        return reached.sum(1) / ideal_dcg(self._grade_counts, cut, gain)

    @cached_property
    def _grade_counts(self) -> Tensor:
        """Number of items of each grade, (b, highest grade + 1)."""
        num_grades = int(self._hit_grades.max()) + 1 if self._hit_grades.numel() else 1
        row = torch.arange(len(self._ranks))[:, None] * num_grades
        cells = (row + self._hit_grades).flatten()
        counts = torch.bincount(cells, minlength=len(self._ranks) * num_grades).view(-1, num_grades)
        counts[:, 0] = self._size - self.num_relevant
        return counts

    @cached_property
    def own_rank(self) -> Tensor:
        """Rank of the first item that has the id of the query, from 1; NaN without such an item; float64, (b,)."""
        return self._own


def keeps_hits(inputs: RankingInputs) -> bool:
    """Whether relevance is given by sparse labels and the database is large, so that few of many items are relevant."""
    relevance = inputs.relevance
    many = isinstance(relevance.labels[1], SparseLabels) and len(inputs.database) > RADIX_ITEMS
    return many and isinstance(relevance.relevance, str) and inputs.query.vectors.device.type == "cpu"


def hit_rankings(inputs: RankingInputs, block_size: int, depth: int) -> Iterator[HitRanking]:
    """Rank the database for each query, for inputs of which `keeps_hits` is true.

    Args:
        inputs: Inputs of the ranking.
        block_size: Number of queries scored at a time.
        depth: Number of first items of which a metric needs an item value.
    """
    start = inputs.ranked.start
    for hits in of_queries(inputs, block_size, partial(_ranked, inputs, depth)):
        step = max(1, CACHED_RELEVANCE // max(1, *(len(hit.ranks) for hit in hits)))
        for first in range(0, len(hits), step):
            part = hits[first : first + step]
            yield _joined(inputs, slice(start, start + len(part)), part)
            start += len(part)


def of_queries(
    inputs: RankingInputs, block_size: int, measure: Callable[..., list[Any]], most: int | None = None
) -> Iterator[list[Any]]:
    """Yield a result for each query, block by block, for inputs of which `keeps_hits` is true.

    Args:
        inputs: Inputs of the ranking.
        block_size: Number of queries scored at a time.
        measure: Function that threads call with the arguments of `orders` for some queries. It returns their results.
        most: Number of results in memory, but at least one for each thread; defaults to those of a block.
    """
    threads, database = torch.get_num_threads(), inputs.relevance.labels[1]
    assert isinstance(database, SparseLabels)
    _ = database.items  # Built before the threads, of which each would build them.
    with ThreadPoolExecutor(threads) as pool:
        for rows, scores in _scores(inputs, block_size):
            block = scores, range(rows.start, rows.stop), inputs.relevance.own_items(rows)
            step = max(threads, most or len(scores))
            for start in range(0, len(scores), step):
                some = [side[start : start + step] for side in block]
                parts = in_parts(pool, measure, -(-len(some[0]) // threads), *some)
                yield [result for part in parts for result in part]


def _scores(inputs: RankingInputs, block_size: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield scores, float32, in memory that is reused, or Hamming distances, (b, N)."""
    if inputs.counts_bits:
        query, database = code_words(inputs.query.vectors), np.ascontiguousarray(code_words(inputs.database.vectors).T)
        for rows in inputs.blocks(block_size):
            yield rows, distances(database, query[rows])
    else:
        for rows, scores in score_blocks(inputs.query, inputs.database, block_size, inputs.ranked):
            yield rows, scores.numpy()


class _Hits(NamedTuple):
    """The ranks and grades of the relevant items for a query, the rank of its own item, and the first items."""

    ranks: np.ndarray
    grades: np.ndarray
    own: float
    first: np.ndarray


def _ranked(
    inputs: RankingInputs, depth: int, scores: np.ndarray, numbers: Sequence[int], owns: Sequence[np.ndarray]
) -> list[_Hits]:
    hits, binary = [], inputs.relevance.relevance == "shared"
    for _, key, order, shared, own in orders(inputs, scores, numbers, owns):
        ranked = np.take(shared, order, mode="clip")  # Lets other threads run; indexing by brackets does not.
        ranks = np.flatnonzero(ranked != 0)
        grades = ranked[ranks]
        hits.append(_Hits(ranks, grades.clip(max=1) if binary else grades, _rank(key, own), order[:depth].copy()))
    return hits


def orders(
    inputs: RankingInputs, scores: np.ndarray, numbers: Sequence[int], owns: Sequence[np.ndarray]
) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Rank the database for some queries.

    Args:
        inputs: Inputs of the ranking.
        scores: Scores or distances of all items, (b, N).
        numbers: Numbers of the queries.
        owns: Places of the items that have the id of the query.

    Yields:
        The number of a query; a key of each item, which rises where the score falls; the order of the items; their
        numbers of shared labels; and the places of the own items. Items that are left out come last and share none.
        The memory of the shared labels is reused.
    """
    query, database = inputs.relevance.labels
    assert isinstance(query, SparseLabels) and isinstance(database, SparseLabels)  # `keeps_hits` ensures this.
    shared = database.new_counts(query.most)[0]
    for number, score, own in zip(numbers, scores, owns, strict=True):
        key = ascending(score) if score.dtype == np.float32 else score
        database.count(query.labels(number), shared)
        if inputs.relevance.leave_out_own:
            shared[own], key[own] = 0, np.iinfo(key.dtype).max
        order = order_of(key) if key.dtype == np.int32 else key.argsort(kind="stable")  # Distances, by radix.
        yield number, key, order, shared, own
        database.mark(query.labels(number), shared, 0)


def _rank(key: np.ndarray, own: np.ndarray) -> float:
    """Rank of the first of some items from 1; NaN without items."""
    if not len(own):
        return np.nan
    place = own[key[own].argmin()]
    return 1.0 + np.count_nonzero(key < key[place]) + np.count_nonzero(key[:place] == key[place])


def _joined(inputs: RankingInputs, rows: slice, hits: list[_Hits]) -> HitRanking:
    """Join the rankings of some queries to padded matrices."""
    shape = len(hits), max(len(hit.ranks) for hit in hits)
    ranks, grades = np.zeros(shape, np.int64), np.zeros(shape, hits[0].grades.dtype)
    for number, hit in enumerate(hits):
        ranks[number, : len(hit.ranks)], grades[number, : len(hit.ranks)] = hit.ranks, hit.grades
    first = torch.from_numpy(np.stack([hit.first for hit in hits]))
    own = torch.tensor([hit.own for hit in hits], dtype=torch.float64)
    sides = torch.from_numpy(ranks), torch.from_numpy(grades), own, len(inputs.database)
    return HitRanking(*sides, lambda name, k: inputs.values.at(name, rows, first[:, :k]))
