"""All metrics, by the form of their name."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from labelgraph.metrics.metric import Metric, Ranking
from labelgraph.metrics.metric_options import METRICS, PATTERNS, unknown_metric
from labelgraph.metrics.ranked import (
    DEFINITIONS,
    GAINS,
    discount_sums,
    ideal_dcg,
)
from labelgraph.metrics.ties import Buckets, expected_average_precision, expected_precision_at_recall, first


class _AveragePrecision(Metric):
    form, pattern = "map", PATTERNS["map"]
    meaning = "mean average precision over the full ranking"

    def of_ranking(self, ranking: Ranking) -> Tensor:
        return ranking.average_precision(None, DEFINITIONS[0])

    def of_buckets(self, buckets: Buckets) -> Tensor:
        return expected_average_precision(buckets.total, buckets.relevant)


class _AveragePrecisionAt(Metric):
    form, pattern = "map@K/DEFINITION", PATTERNS["map@K/DEFINITION"]
    meaning = "mean average precision within the first K items; the definition is named after the '/'"
    variants = DEFINITIONS

    def of_ranking(self, ranking: Ranking) -> Tensor:
        return ranking.average_precision(self.cut, str(self.variant))

    def of_buckets(self, buckets: Buckets) -> Tensor:
        return expected_average_precision(buckets.total, buckets.relevant, self.cut, str(self.variant))


class _PrecisionAt(Metric):
    form, pattern = "precision@K", PATTERNS["precision@K"]
    meaning = "share of relevant items among the first K"

    def of_ranking(self, ranking: Ranking) -> Tensor:
        return ranking.first(self.depth).sum(1, dtype=torch.float64) / self.depth

    def of_buckets(self, buckets: Buckets) -> Tensor:
        return _hits(buckets, self.depth) / self.depth


class _PrecisionAtMin(Metric):
    form, pattern = "precision@min(K,R)", PATTERNS["precision@min(K,R)"]
    meaning = "share of relevant items among the first K, or among the first R if only R < K items are relevant"

    def of_ranking(self, ranking: Ranking) -> Tensor:
        depth = ranking.num_relevant.clamp(max=self.depth)[:, None]
        first = ranking.first(self.depth)
        inside = torch.arange(first.shape[1], device=depth.device) < depth
        return (first * inside).sum(1, dtype=torch.float64) / depth[:, 0].clamp(min=1)

    def of_buckets(self, buckets: Buckets) -> Tensor:
        depth = buckets.ties.num_relevant.clamp(max=self.depth)
        return _hits(buckets, depth[:, None]) / depth.clamp(min=1)


class _RecallAt(Metric):
    form, pattern = "recall@K", PATTERNS["recall@K"]
    meaning = "share of the relevant items that are among the first K"

    def of_ranking(self, ranking: Ranking) -> Tensor:
        return ranking.first(self.depth).sum(1, dtype=torch.float64) / ranking.num_relevant.clamp(min=1)

    def of_buckets(self, buckets: Buckets) -> Tensor:
        return _hits(buckets, self.depth) / buckets.ties.num_relevant.clamp(min=1)


class _RPrecision(Metric):
    form, pattern = "r-precision", PATTERNS["r-precision"]
    meaning = "share of relevant items among the first R, where R is the number of relevant items"

    def of_ranking(self, ranking: Ranking) -> Tensor:
        return ranking.r_precision()

    def of_buckets(self, buckets: Buckets) -> Tensor:
        num_relevant = buckets.ties.num_relevant
        return _hits(buckets, num_relevant[:, None]) / num_relevant.clamp(min=1)


class _Ndcg(Metric):
    form, pattern = "ndcg@K/GAIN", PATTERNS["ndcg@K/GAIN"]
    meaning = "normalised discounted cumulative gain, graded by the number of shared labels"
    variants = tuple(GAINS)
    needs_grades = True

    def of_ranking(self, ranking: Ranking) -> Tensor:
        return ranking.ndcg(self.cut, str(self.variant))

    def of_buckets(self, buckets: Buckets) -> Tensor:
        ties, gain = buckets.ties, str(self.variant)
        cut = ties.size if self.cut is None else min(self.cut, ties.size)
        reached = ties.sums(buckets.gains[gain], discount_sums(ties.size, ties.total.device), cut)
        return reached / ideal_dcg(buckets.grades, cut, gain)


class _PrecisionAtRecall(Metric):
    form, pattern = "precision@recallLEVEL", PATTERNS["precision@recallLEVEL"]
    meaning = "precision at the rank where the recall reaches LEVEL"

    def of_ranking(self, ranking: Ranking) -> Tensor:
        return ranking.precision_at_recall(self.level or 0.0)

    def of_buckets(self, buckets: Buckets) -> Tensor:
        return expected_precision_at_recall(buckets.total, buckets.relevant, [self.level or 0.0])[:, 0]


class _Within(Metric):
    """Base of the metrics of all items within a Hamming radius, which are in the first buckets."""

    least = 0
    needs_distances = True

    def of_ranking(self, ranking: Ranking) -> Tensor:
        raise NotImplementedError(f"{self.full} can only be computed from buckets")


class _PrecisionWithin(_Within):
    form, pattern = "precision@rRADIUS", PATTERNS["precision@rRADIUS"]
    meaning = "share of relevant items among the items within the Hamming radius"

    def of_buckets(self, buckets: Buckets) -> Tensor:
        return _within(buckets.relevant, self.depth) / _within(buckets.total, self.depth).clamp(min=1)


class _RecallWithin(_Within):
    form, pattern = "recall@rRADIUS", PATTERNS["recall@rRADIUS"]
    meaning = "share of the relevant items that are within the Hamming radius"

    def of_buckets(self, buckets: Buckets) -> Tensor:
        return _within(buckets.relevant, self.depth) / buckets.ties.num_relevant.clamp(min=1)


class _LookupWithin(_Within):
    form, pattern = "lookup@rRADIUS", PATTERNS["lookup@rRADIUS"]
    meaning = "share of the queries with a relevant item within the Hamming radius"

    def of_buckets(self, buckets: Buckets) -> Tensor:
        return (_within(buckets.relevant, self.depth) > 0).double()


class _Relevant(Metric):
    form, pattern = "relevant", PATTERNS["relevant"]
    meaning = "number of relevant items"

    def of_ranking(self, ranking: Ranking) -> Tensor:
        return ranking.num_relevant.double()

    def of_buckets(self, buckets: Buckets) -> Tensor:
        return buckets.ties.num_relevant.double()


class _MeanValue(Metric):
    """Base of the means of a value over the first K items; ranks beyond the database count as 0."""

    item_value: ClassVar[str]

    @property
    def num_values(self) -> int:
        return self.depth

    def of_ranking(self, ranking: Ranking) -> Tensor:
        return ranking.value(self.item_value, self.cut).sum(1) / self.depth

    def of_buckets(self, buckets: Buckets) -> Tensor:
        return _expected(buckets, buckets.values[self.item_value], self.depth) / self.depth


class _JaccardAt(_MeanValue):
    form, pattern, item_value = "jaccard@K", PATTERNS["jaccard@K"], "jaccard"
    meaning = "mean Jaccard coefficient of the label sets of the query and of the first K items"


class _ExactAt(_MeanValue):
    form, pattern, item_value = "exact@K", PATTERNS["exact@K"], "exact"
    meaning = "share of the first K items that have exactly the labels of the query"


class _Own(Metric):
    """Base of the metrics of the rank of the own pair, which need no other item."""

    item_value = "own"
    num_values = 0


class _OwnAt(_Own):
    form, pattern = "own@K", PATTERNS["own@K"]
    meaning = "share of the queries whose own pair is among the first K items"

    def of_ranking(self, ranking: Ranking) -> Tensor:
        rank = ranking.own_rank
        return torch.where(rank.isnan(), rank, (rank <= self.depth).double())

    def of_buckets(self, buckets: Buckets) -> Tensor:
        own = buckets.values["own"]
        # A query has one own item; if several items have its id, the first one counts.
        place = first(own > 0)
        size, _, before, _ = buckets.ties.bucket(place)
        # In float64: torch divides whole numbers in float32.
        share = ((self.depth - before).clamp(min=0).minimum(size).double() / size.clamp(min=1))[:, 0]
        expected = 1 - (1 - share) ** own.gather(1, place.clamp(max=own.shape[1] - 1)[:, None])[:, 0]
        return torch.where(own.sum(1) > 0, expected, torch.nan)


class _OwnRank(_Own):
    form, pattern = "own-rank", PATTERNS["own-rank"]
    meaning = "median rank of the query's own pair"
    higher_is_better = False

    def of_ranking(self, ranking: Ranking) -> Tensor:
        return ranking.own_rank

    def of_buckets(self, buckets: Buckets) -> Tensor:
        own = buckets.values["own"]
        place = first(own > 0)
        size, _, before, _ = buckets.ties.bucket(place)
        tied = own.gather(1, place.clamp(max=own.shape[1] - 1)[:, None])
        rank = before + (size + 1) / (tied + 1)  # Expected rank of the first of the tied own items.
        return torch.where(own.sum(1) > 0, rank[:, 0], torch.nan)

    def summary(self, values: Tensor) -> float:
        return values.nanquantile(0.5).item()


def _hits(buckets: Buckets, k: Tensor | int) -> Tensor:
    """Expected number of relevant items among the first k."""
    return _expected(buckets, buckets.relevant, k)


def _expected(buckets: Buckets, sums: Tensor, k: Tensor | int) -> Tensor:
    """Expected sum of a value over the first k items, from its sums over buckets."""
    places = torch.arange(buckets.ties.size + 1, dtype=torch.float64, device=sums.device)
    return buckets.ties.sums(sums, places, k)


def _within(counts: Tensor, radius: int) -> Tensor:
    return counts[:, : radius + 1].sum(1, dtype=torch.float64)


def parse_metric(name: str) -> Metric:
    """Parse the name of a metric.

    Raises:
        ValueError: If the name is unknown, lacks a cut-off, or has a cut-off of 0.

    Example:
        >>> from labelgraph.metrics.measures import parse_metric
        >>> metric = parse_metric("map@50")
        >>> metric.full, metric.meaning
        ('map@50/topk', "mean average precision within the first K items; the definition is named after the '/'")
    """
    for metric in METRICS.values():
        if isinstance(name, str) and (parsed := metric.parse(name)):
            return parsed
    raise unknown_metric(name)
