"""Expected metrics over a random order of tied items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from labelgraph._core.embeddings import as_matrix
from labelgraph._core.packed_bits import code_words, count_codes, in_parts
from labelgraph.metrics.ranked import GAINS, check_average_precision, count_grades, hits_needed
from labelgraph.metrics.ranking import CACHED_KEYS, CACHED_RELEVANCE, RankingInputs, graded_blocks, rows_a_block


class Ties:
    """Buckets of tied items with the numbers of items before each bucket, and sums over places.

    An empty bucket follows the last bucket, so that places beyond the ranking also have a bucket.
    """

    def __init__(self, total: Tensor, relevant: Tensor) -> None:
        self.total, self.relevant = (F.pad(side.long(), (0, 1)) for side in (total, relevant))
        self.before, self.hits = (side.cumsum(1) - side for side in (self.total, self.relevant))
        self.num_relevant = self.relevant.sum(1)
        self.size = int(self.total.sum(1).max())
        ranks = torch.arange(1, self.size + 1, dtype=torch.float64, device=total.device)
        self.harmonic = torch.cat([ranks.new_zeros(1), ranks.reciprocal().cumsum(0)])

    def bucket(self, index: Tensor) -> tuple[Tensor, ...]:
        """Return a bucket of each query: items, relevant items, items before, relevant items before; each (b, 1)."""
        sides = self.total, self.relevant, self.before, self.hits
        return tuple(side.gather(1, index[:, None]) for side in sides)

    def over(self, drawn: Tensor, size: Tensor, relevant: Tensor, before: Tensor, hits: Tensor) -> Tensor:
        """Expected sum of the precisions at hits among the first ``drawn`` places of a bucket."""
        slope = (relevant.double() - 1) / (size - 1).clamp(min=1)
        spread = self.harmonic[before + drawn] - self.harmonic[before]
        return relevant.double() / size.clamp(min=1) * (slope * drawn + (hits + 1 - slope * (before + 1)) * spread)

    def precisions(self, k: int, mask: Tensor | None = None) -> Tensor:
        """Expected sum of the precisions at hits among the first k items, over the buckets in ``mask``."""
        drawn = (k - self.before).clamp(min=0).minimum(self.total)
        sums = self.over(drawn, self.total, self.relevant, self.before, self.hits)
        return (sums if mask is None else sums * mask).sum(1)

    def sums(self, gains: Tensor, prefix: Tensor, k: Tensor | int) -> Tensor:
        """Expected sum of gain times weight over the first k places.

        Args:
            gains: Sum of the gains of each bucket, (b, K).
            prefix: Cumulative sums of the weights of the places, starting with 0.
            k: One cut-off, or one cut-off per query, (b, 1).
        """
        drawn = (k - self.before).clamp(min=0).minimum(self.total)
        mean = F.pad(gains.double(), (0, 1)) / self.total.clamp(min=1)
        return (mean * (prefix[self.before + drawn] - prefix[self.before])).sum(1)


def first(condition: Tensor) -> Tensor:
    """Index of the first bucket of each query that meets the condition; the last bucket if none does."""
    return torch.cat([condition[:, :-1], torch.ones_like(condition[:, :1])], 1).int().argmax(1)


def log_choose(n: Tensor, k: Tensor) -> Tensor:
    """Logarithm of the binomial coefficient; -inf if the coefficient is 0."""
    ways = torch.lgamma(n.double() + 1) - torch.lgamma(k.double() + 1) - torch.lgamma((n - k).double() + 1)
    return torch.where((k >= 0) & (k <= n), ways, -torch.inf)


def _checked(total: Any, relevant: Any) -> tuple[Tensor, Tensor]:
    """Return the numbers of items and of relevant items in each bucket, of torch, NumPy or lists, as int64.

    Raises:
        ValueError: If they are not matrices of one shape, or not whole numbers with 0 <= relevant <= total.
    """
    sides = {name: as_matrix(name, side) for name, side in (("total", total), ("relevant", relevant))}
    for name, side in sides.items():
        if 0 in side.shape or (side != side.long()).any() or (side < 0).any():
            raise ValueError(
                f"'{name}' must be whole numbers from 0, shape (Q, K) (got {side.dtype}, {tuple(side.shape)})"
            )
    if sides["total"].shape != sides["relevant"].shape or (sides["relevant"] > sides["total"]).any():
        shapes = " and ".join(str(tuple(side.shape)) for side in sides.values())
        raise ValueError(f"'relevant' must have the shape of 'total', and at most its numbers (got {shapes})")
    return sides["total"].long(), sides["relevant"].long()


def expected_average_precision(total: Any, relevant: Any, k: int | None = None, definition: str = "topk") -> Tensor:
    r"""Expected average precision over a random order of the items in each bucket.

    Consider a bucket of :math:`n` items, :math:`r` of them relevant, after :math:`N_0` items, :math:`R_0` of them
    relevant. The first :math:`m` places of the bucket add

    .. math:: \sum_{i=1}^{m} \frac{r}{n}\, \frac{R_0 + 1 + (i - 1) \frac{r - 1}{n - 1}}{N_0 + i}

    to the sum of precisions (McSherry and Najork, ECIR 2008, doi:10.1007/978-3-540-78646-7_38). Sums of
    :math:`1 / i` give this value without a loop.

    In two definitions, the divisor also depends on the order. For ``"topk"``, the number of hits before the cut-off
    within a bucket has a hypergeometric distribution. For ``"first-k"``, the place of the last hit that counts has one.
    For a fixed number or place, the same sum holds.

    Args:
        total: Number of items in each bucket, best bucket first, shape :math:`(Q, K)`; an empty bucket has 0.
        relevant: Number of relevant items in each bucket, shape :math:`(Q, K)`.
        k: Cut-off; defaults to the full ranking.
        definition: See `average_precision`.

    Returns:
        Expected values, shape :math:`(Q,)`, float64. A query without relevant items scores 0.

    Raises:
        ValueError: If ``k`` is less than 1, the definition is unknown, or ``total`` and ``relevant`` are not counts.

    Example:
        One of two tied items is relevant, and is first or second.

        >>> import torch
        >>> from labelgraph.metrics import expected_average_precision
        >>> expected_average_precision(torch.tensor([[2]]), torch.tensor([[1]]))
        tensor([0.7500], dtype=torch.float64)
    """
    check_average_precision(k, definition)
    ties = Ties(*_checked(total, relevant))
    if k is None or k >= ties.size:
        return ties.precisions(ties.size) / ties.num_relevant.clamp(min=1)
    if definition == "topk":
        return _cut_by_rank(ties, k)
    if definition == "first-k":
        return _cut_by_hits(ties, k)
    return ties.precisions(k) / ties.num_relevant.clamp(min=1, max=k if definition == "min(k,R)" else None)


def expected_precision_at_recall(total: Any, relevant: Any, recall: Sequence[float]) -> Tensor:
    r"""Expected precision at recall levels over the order within buckets; see `precision_at_recall`.

    Args:
        total: Number of items in each bucket, best bucket first, shape :math:`(Q, K)`.
        relevant: Number of relevant items in each bucket, shape :math:`(Q, K)`.
        recall: Levels in [0, 1].

    Returns:
        Shape :math:`(Q, |recall|)`, float64.

    Raises:
        ValueError: If a level is not in [0, 1], or ``total`` and ``relevant`` are not counts.

    Example:
        >>> import torch
        >>> from labelgraph.metrics import expected_precision_at_recall
        >>> expected_precision_at_recall(torch.tensor([[2]]), torch.tensor([[1]]), [1.0])
        tensor([[0.7500]], dtype=torch.float64)
    """
    ties = Ties(*_checked(total, relevant))
    columns = []
    for needed in hits_needed(ties.num_relevant, recall).split(1, 1):
        size, num_relevant, before, hits = ties.bucket(first(ties.hits + ties.relevant >= needed))
        place = _places(size)
        chance = _chance_of_place(place, size, num_relevant, needed - hits)
        columns.append((chance * needed / (before + place)).sum(1))
    return torch.stack(columns, 1)


def _cut_by_rank(ties: Ties, k: int) -> Tensor:
    """Expected mean over the hits among the first k; their number is random if the cut-off divides a bucket."""
    whole = ties.before + ties.total <= k
    size, relevant, before, hits = ties.bucket(first(~whole))
    drawn = (k - before).clamp(min=0).minimum(size)
    inside = torch.arange(int(drawn.max()) + 1, device=size.device)
    ways = log_choose(relevant, inside) + log_choose(size - relevant, drawn - inside)
    chance = (ways - log_choose(size, drawn)).exp()
    sums = ties.precisions(k, whole)[:, None] + ties.over(drawn, drawn, inside, before, hits)
    return (chance * sums / (hits + inside).clamp(min=1)).sum(1)


def _cut_by_hits(ties: Ties, k: int) -> Tensor:
    """Expected mean over the first k hits; the place of the last hit is random within its bucket."""
    whole = ties.hits + ties.relevant <= k
    size, relevant, before, hits = ties.bucket(first(~whole))
    place, needed = _places(size), k - hits
    earlier = (place - 1).minimum(size)
    sums = ties.over(earlier, earlier, needed - 1, before, hits) + (hits + needed).double() / (before + place)
    last = (_chance_of_place(place, size, relevant, needed) * sums).sum(1)
    return (ties.precisions(ties.size, whole) + last) / ties.num_relevant.clamp(min=1, max=k)


def _places(size: Tensor) -> Tensor:
    return torch.arange(1, max(1, int(size.max())) + 1, device=size.device)


def _chance_of_place(place: Tensor, size: Tensor, relevant: Tensor, needed: Tensor) -> Tensor:
    """Probability that the ``needed``-th relevant item of a bucket is at a place, counted from 1."""
    ways = log_choose(place - 1, needed - 1) + log_choose(size - place, relevant - needed)
    return (ways - log_choose(size, relevant)).exp()


@dataclass(frozen=True)
class Buckets:
    """Rankings of queries as rows of buckets of tied items, best bucket first. A bucket may be empty.

    Args:
        total: Number of items, int64, (b, K).
        relevant: Number of relevant items, int64, (b, K).
        gains: Sum of the items' gains by the name of the gain, float64, (b, K).
        grades: Number of items of each grade in all buckets, (b, highest grade + 1).
        values: Sum of the items' values by the name of the value, see `ItemValues`, float64, (b, K).
    """

    total: Tensor
    relevant: Tensor
    gains: dict[str, Tensor]
    grades: Tensor
    values: Mapping[str, Tensor] = field(default_factory=dict)

    @cached_property
    def ties(self) -> Ties:
        """The buckets with the numbers of items before each bucket."""
        return Ties(self.total, self.relevant)

    @classmethod
    def of_counts(cls, counts: Tensor, values: Mapping[str, Tensor] | None = None) -> Buckets:
        """Create buckets from the number of items of each grade in each bucket, (b, K, grades)."""
        grades = torch.arange(counts.shape[2], device=counts.device)
        gains = {name: counts.double() @ gain(grades) for name, gain in GAINS.items()}
        return cls(counts.sum(2), counts[..., 1:].sum(2), gains, counts.sum(1), values or {})


def bucket_blocks(inputs: RankingInputs, block_size: int | None, values: Sequence[str] = ()) -> Iterator[Buckets]:
    """Yield buckets of items with equal scores: for codes one bucket per distance from 0, otherwise one per score.

    Args:
        inputs: Inputs of the ranking.
        block_size: Number of queries per block.
        values: Names of the values of `ItemValues` to sum over buckets.
    """
    block_size = rows_a_block(inputs, block_size)
    if inputs.counts_bits and not values:
        yield from _of_codes(inputs, block_size)
        return
    start = inputs.ranked.start
    for scores, grades in graded_blocks(inputs, block_size):
        codes, step = inputs.similarity == "hamming", max(1, CACHED_RELEVANCE // scores.shape[1])
        for part in zip(scores.split(step), grades.split(step), strict=True):
            rows = slice(start, start + len(part[0]))
            start = rows.stop
            whole = {name: inputs.values.whole(name, rows).to(part[0].device) for name in values}
            yield buckets_of(*part, whole, 8 * inputs.query.vectors.shape[1] if codes else None)


def buckets_of(scores: Tensor, grades: Tensor, values: Mapping[str, Tensor], bits: int | None) -> Buckets:
    """Create the buckets of some queries.

    Args:
        scores: Scores of all items, -inf for excluded ones, (b, N).
        grades: Grades of the items, (b, N).
        values: Values of the items by name, (b, N).
        bits: Length of codes, which have a bucket for each distance; None for a bucket for each score.
    """
    return _of_scores(scores, grades, values) if bits is None else _of_distances(scores, grades, values, bits)


def _of_codes(inputs: RankingInputs, block_size: int) -> Iterator[Buckets]:
    query, database = code_words(inputs.query.vectors), np.ascontiguousarray(code_words(inputs.database.vectors).T)
    step = max(1, CACHED_KEYS // len(inputs.database))
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for rows in inputs.blocks(block_size):
            arrays = [query[rows], *inputs.grade_arrays(rows)]
            count = partial(count_codes, max(1, int(arrays[1].max())) + 1, database)
            yield Buckets.of_counts(torch.from_numpy(np.concatenate(in_parts(pool, count, step, *arrays))))


def _of_distances(scores: Tensor, grades: Tensor, values: Mapping[str, Tensor], bits: int) -> Buckets:
    sums = {name: _sums(value, _distances(scores, bits), bits + 2)[:, :-1] for name, value in values.items()}
    return Buckets.of_counts(count_on_device(scores, grades, bits), sums)


def count_on_device(scores: Tensor, grades: Tensor, bits: int) -> Tensor:
    """Compute the counts of `count_codes` from products of codes of -1 and 1, on any device."""
    num_grades = max(1, int(grades.max())) + 1
    cells = (bits + 2) * num_grades
    row = torch.arange(len(scores), device=scores.device)[:, None] * cells
    places = row + _distances(scores, bits) * num_grades + grades
    counts = torch.bincount(places.flatten(), minlength=len(scores) * cells)
    return counts.view(len(scores), bits + 2, num_grades)[:, :-1]


def _distances(scores: Tensor, bits: int) -> Tensor:
    """Hamming distances; the distance of an excluded item is the number of bits plus 1."""
    return torch.where(scores > -torch.inf, (bits - scores) / 2, bits + 1).long()


def _sums(values: Tensor, bucket: Tensor, size: int) -> Tensor:
    """Sum the values of the items in each bucket, (b, size)."""
    return values.new_zeros(len(values), size).scatter_add_(1, bucket, values)


def _of_scores(scores: Tensor, grades: Tensor, values: Mapping[str, Tensor]) -> Buckets:
    ordered, order = scores.sort(dim=1, descending=True, stable=True)
    ranked = grades.gather(1, order).long()
    bucket = torch.zeros_like(order)
    bucket[:, 1:] = (ordered[:, 1:] != ordered[:, :-1]).cumsum(1)
    searched, size = ordered > -torch.inf, scores.shape[1]
    gains = {name: _sums(gain(ranked), bucket, size) for name, gain in GAINS.items()}
    sums = {name: _sums(value.gather(1, order), bucket, size) for name, value in values.items()}
    total, relevant = (_sums(mask.long(), bucket, size) for mask in (searched, ranked > 0))
    return Buckets(total, relevant, gains, count_grades(ranked), sums)
