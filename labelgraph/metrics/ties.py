"""Metrics in expectation over the order of items that tie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from labelgraph._core.packed_bits import code_words, count_codes, in_parts
from labelgraph.metrics.ranked import GAINS, check_average_precision, count_grades, hits_needed
from labelgraph.metrics.ranking import CACHED_KEYS, CACHED_RELEVANCE, RankingInputs, graded_blocks, rows_a_block


class Ties:
    """Buckets with what stands before each of them, and sums over their places.

    Behind the last bucket comes an empty one, so that what lies beyond the ranking has a bucket too.
    """

    def __init__(self, total: Tensor, relevant: Tensor) -> None:
        self.total, self.relevant = (F.pad(side.long(), (0, 1)) for side in (total, relevant))
        self.before, self.hits = (side.cumsum(1) - side for side in (self.total, self.relevant))
        self.found = self.relevant.sum(1)
        self.size = int(self.total.sum(1).max())
        ranks = torch.arange(1, self.size + 1, dtype=torch.float64, device=total.device)
        self.harmonic = torch.cat([ranks.new_zeros(1), ranks.reciprocal().cumsum(0)])

    def bucket(self, index: Tensor) -> tuple[Tensor, ...]:
        """Items, relevant items, items before and relevant items before of a bucket of each query, (b, 1) each."""
        sides = self.total, self.relevant, self.before, self.hits
        return tuple(side.gather(1, index[:, None]) for side in sides)

    def over(self, drawn: Tensor, size: Tensor, relevant: Tensor, before: Tensor, hits: Tensor) -> Tensor:
        """Expected sum of the precisions at hits among the first ``drawn`` places of a bucket."""
        slope = (relevant.double() - 1) / (size - 1).clamp(min=1)
        spread = self.harmonic[before + drawn] - self.harmonic[before]
        return relevant.double() / size.clamp(min=1) * (slope * drawn + (hits + 1 - slope * (before + 1)) * spread)

    def precisions(self, k: int, kept: Tensor | None = None) -> Tensor:
        """Expected sum of the precisions at hits among the first k items, of the buckets to keep."""
        drawn = (k - self.before).clamp(min=0).minimum(self.total)
        sums = self.over(drawn, self.total, self.relevant, self.before, self.hits)
        return (sums if kept is None else sums * kept).sum(1)

    def sums(self, gains: Tensor, prefix: Tensor, k: Tensor | int) -> Tensor:
        """Expected sum over the first k places of the gain there times a weight of the place.

        Args:
            gains: Sum of the gains of each bucket, (b, K).
            prefix: Sums of the weights of the first places, from none of them on.
            k: One cut-off, or one for each query, (b, 1).
        """
        drawn = (k - self.before).clamp(min=0).minimum(self.total)
        mean = F.pad(gains.double(), (0, 1)) / self.total.clamp(min=1)
        return (mean * (prefix[self.before + drawn] - prefix[self.before])).sum(1)


def first(condition: Tensor) -> Tensor:
    """Index of the first bucket of each query for which the condition holds, otherwise of the last."""
    return torch.cat([condition[:, :-1], torch.ones_like(condition[:, :1])], 1).int().argmax(1)


def log_choose(n: Tensor, k: Tensor) -> Tensor:
    """Logarithm of the binomial coefficient; -inf where it is 0."""
    ways = torch.lgamma(n.double() + 1) - torch.lgamma(k.double() + 1) - torch.lgamma((n - k).double() + 1)
    return torch.where((k >= 0) & (k <= n), ways, -torch.inf)


def expected_average_precision(
    total: Tensor, relevant: Tensor, k: int | None = None, definition: str = "topk"
) -> Tensor:
    r"""Average precision in expectation over a random order of the items in each bucket.

    After :math:`N_0` items with :math:`R_0` relevant ones, a bucket of :math:`n` items with :math:`r` relevant ones
    adds, over its first :math:`m` places,

    .. math:: \sum_{i=1}^{m} \frac{r}{n}\, \frac{R_0 + 1 + (i - 1) \frac{r - 1}{n - 1}}{N_0 + i}

    to the sum of precisions (McSherry and Najork, ECIR 2008, doi:10.1007/978-3-540-78646-7_38), which sums of
    :math:`1 / i` give without a loop. Where the divisor of a definition depends on the order as well, the number of
    hits above a cut within a bucket (``"topk"``) or the place of the last hit that counts (``"first-k"``) has a
    hypergeometric distribution, and given it the same sum holds.

    Args:
        total: Items in each bucket, best bucket first, shape :math:`(Q, K)`; 0 where a bucket is empty.
        relevant: Relevant items in each bucket, shape :math:`(Q, K)`.
        k: Cut-off; by default none.
        definition: See `average_precision`.

    Returns:
        Shape :math:`(Q,)`, float64. A query without relevant items scores 0.

    Raises:
        ValueError: If ``k`` is less than 1 or the definition is unknown.

    Example:
        One of two tied items is relevant: it stands first or second.

        >>> import torch
        >>> from labelgraph.metrics import expected_average_precision
        >>> expected_average_precision(torch.tensor([[2]]), torch.tensor([[1]]))
        tensor([0.7500], dtype=torch.float64)
    """
    check_average_precision(k, definition)
    ties = Ties(total, relevant)
    if k is None or k >= ties.size:
        return ties.precisions(ties.size) / ties.found.clamp(min=1)
    if definition == "topk":
        return _cut_by_rank(ties, k)
    if definition == "first-k":
        return _cut_by_hits(ties, k)
    return ties.precisions(k) / ties.found.clamp(min=1, max=k if definition == "min(k,R)" else None)


def expected_precision_at_recall(total: Tensor, relevant: Tensor, recall: Sequence[float]) -> Tensor:
    r"""Precision at recall levels, see `precision_at_recall`, in expectation over the order within buckets.

    Args:
        total: Items in each bucket, best bucket first, shape :math:`(Q, K)`.
        relevant: Relevant items in each bucket, shape :math:`(Q, K)`.
        recall: Levels in [0, 1].

    Returns:
        Shape :math:`(Q, |recall|)`, float64.

    Raises:
        ValueError: If a level is not in [0, 1].

    Example:
        >>> import torch
        >>> from labelgraph.metrics import expected_precision_at_recall
        >>> expected_precision_at_recall(torch.tensor([[2]]), torch.tensor([[1]]), [1.0])
        tensor([[0.7500]], dtype=torch.float64)
    """
    ties = Ties(total, relevant)
    columns = []
    for needed in hits_needed(ties.found, recall).split(1, 1):
        size, found, before, hits = ties.bucket(first(ties.hits + ties.relevant >= needed))
        place = _places(size)
        chance = _chance_of_place(place, size, found, needed - hits)
        columns.append((chance * needed / (before + place)).sum(1))
    return torch.stack(columns, 1)


def _cut_by_rank(ties: Ties, k: int) -> Tensor:
    """The mean over the hits among the first k, whose number is random where the cut divides a bucket."""
    whole = ties.before + ties.total <= k
    size, relevant, before, hits = ties.bucket(first(~whole))
    drawn = (k - before).clamp(min=0).minimum(size)
    inside = torch.arange(int(drawn.max()) + 1, device=size.device)
    ways = log_choose(relevant, inside) + log_choose(size - relevant, drawn - inside)
    chance = (ways - log_choose(size, drawn)).exp()
    sums = ties.precisions(k, whole)[:, None] + ties.over(drawn, drawn, inside, before, hits)
    return (chance * sums / (hits + inside).clamp(min=1)).sum(1)


def _cut_by_hits(ties: Ties, k: int) -> Tensor:
    """The mean over the first k hits; the place of the last of them is random within its bucket."""
    whole = ties.hits + ties.relevant <= k
    size, relevant, before, hits = ties.bucket(first(~whole))
    place, needed = _places(size), k - hits
    earlier = (place - 1).minimum(size)
    sums = ties.over(earlier, earlier, needed - 1, before, hits) + (hits + needed).double() / (before + place)
    last = (_chance_of_place(place, size, relevant, needed) * sums).sum(1)
    return (ties.precisions(ties.size, whole) + last) / ties.found.clamp(min=1, max=k)


def _places(size: Tensor) -> Tensor:
    return torch.arange(1, max(1, int(size.max())) + 1, device=size.device)


def _chance_of_place(place: Tensor, size: Tensor, relevant: Tensor, needed: Tensor) -> Tensor:
    """Probability that the ``needed``-th of the relevant items of a bucket stands at a place, counted from 1."""
    ways = log_choose(place - 1, needed - 1) + log_choose(size - place, relevant - needed)
    return (ways - log_choose(size, relevant)).exp()


@dataclass(frozen=True)
class Buckets:
    """Each query's ranking as a row of buckets, best first, of items that tie. A bucket may be empty.

    Args:
        total: Items, int64, (b, K).
        relevant: Relevant items, int64, (b, K).
        gains: Sum of the items' gains by the name of the gain, float64, (b, K).
        grades: Items of each grade in all buckets, (b, highest grade + 1).
        values: Sum of the items' values by the name of the value, see `ItemValues`, float64, (b, K).
    """

    total: Tensor
    relevant: Tensor
    gains: dict[str, Tensor]
    grades: Tensor
    values: Mapping[str, Tensor] = field(default_factory=dict)

    @cached_property
    def ties(self) -> Ties:
        """What stands before each bucket."""
        return Ties(self.total, self.relevant)

    @classmethod
    def of_counts(cls, counts: Tensor, values: Mapping[str, Tensor] | None = None) -> Buckets:
        """Buckets of the number of items in each of them of each grade, (b, K, grades)."""
        grades = torch.arange(counts.shape[2], device=counts.device)
        gains = {name: counts.double() @ gain(grades) for name, gain in GAINS.items()}
        return cls(counts.sum(2), counts[..., 1:].sum(2), gains, counts.sum(1), values or {})


def bucket_blocks(inputs: RankingInputs, block_size: int | None, values: Sequence[str] = ()) -> Iterator[Buckets]:
    """Items of equal score in a bucket: for codes one for each distance from 0, otherwise one for each score.

    Args:
        inputs: What to rank.
        block_size: Queries in a block.
        values: Names of values of `ItemValues` to sum over buckets.
    """
    block_size = rows_a_block(inputs, block_size)
    if inputs.counts_bits and not values:
        yield from _of_codes(inputs, block_size)
        return
    start = inputs.ranked.start
    for scores, grades in graded_blocks(inputs, block_size):
        codes = inputs.similarity == "hamming"
        step = len(scores) if codes else max(1, CACHED_RELEVANCE // scores.shape[1])
        for part in zip(scores.split(step), grades.split(step), strict=True):
            rows = slice(start, start + len(part[0]))
            start = rows.stop
            whole = {name: inputs.values.whole(name, rows) for name in values}
            if codes:
                yield _of_distances(*part, whole, 8 * inputs.query.vectors.shape[1])
            else:
                yield _of_scores(*part, whole)


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
    """The counts of `count_codes` from products of codes of -1 and 1, on any device."""
    num_grades = max(1, int(grades.max())) + 1
    cells = (bits + 2) * num_grades
    row = torch.arange(len(scores), device=scores.device)[:, None] * cells
    places = row + _distances(scores, bits) * num_grades + grades
    counts = torch.bincount(places.flatten(), minlength=len(scores) * cells)
    return counts.view(len(scores), bits + 2, num_grades)[:, :-1]


def _distances(scores: Tensor, bits: int) -> Tensor:
    """Hamming distances; those of items that are left out are one more than there are bits."""
    return torch.where(scores > -torch.inf, (bits - scores) / 2, bits + 1).long()


def _sums(values: Tensor, bucket: Tensor, size: int) -> Tensor:
    """Sums of values over the buckets that their items are in, (b, size)."""
    return values.new_zeros(len(values), size).scatter_add_(1, bucket, values)


def _of_scores(scores: Tensor, grades: Tensor, values: Mapping[str, Tensor]) -> Buckets:
    ordered, order = scores.sort(dim=1, descending=True, stable=True)
    ranked = grades.gather(1, order).long()
    bucket = torch.zeros_like(order)
    bucket[:, 1:] = (ordered[:, 1:] != ordered[:, :-1]).cumsum(1)
    kept, size = ordered > -torch.inf, scores.shape[1]
    gains = {name: _sums(gain(ranked), bucket, size) for name, gain in GAINS.items()}
    sums = {name: _sums(value.gather(1, order), bucket, size) for name, value in values.items()}
    total, relevant = (_sums(of.long(), bucket, size) for of in (kept, ranked > 0))
    return Buckets(total, relevant, gains, count_grades(ranked), sums)
