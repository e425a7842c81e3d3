"""What each name of a metric stands for: of a ranking, and of buckets of items that tie."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from labelgraph.retrieval.buckets import Buckets
from labelgraph.retrieval.expected import expected_average_precision, expected_precision_at_recall
from labelgraph.retrieval.metrics import average_precision, precision_at, precision_at_recall, r_precision, recall_at
from labelgraph.retrieval.names import MetricName
from labelgraph.retrieval.ndcg import discount_sums, ideal_dcg, ndcg_at
from labelgraph.retrieval.ranking import as_binary
from labelgraph.retrieval.ties import Ties


def measure_ranking(grades: Tensor, names: list[MetricName]) -> Tensor:
    """Metrics of grades in ranked order: (b, |names|), float64."""
    relevant = as_binary(grades)
    return torch.stack([_of_ranking(grades, relevant, name) for name in names], 1)


def _of_ranking(grades: Tensor, relevant: Tensor, name: MetricName) -> Tensor:
    cut = relevant.shape[1] if name.cut is None else name.cut
    measures: dict[str, Callable[[], Tensor]] = {
        "map": lambda: average_precision(relevant),
        "map@K/DEFINITION": lambda: average_precision(relevant, cut, str(name.variant)),
        "precision@K": lambda: precision_at(relevant, [cut])[:, 0],
        "recall@K": lambda: recall_at(relevant, [cut])[:, 0],
        "r-precision": lambda: r_precision(relevant),
        "ndcg@K/GAIN": lambda: ndcg_at(grades, [name.cut], str(name.variant))[:, 0],
        "precision@recallLEVEL": lambda: precision_at_recall(relevant, [name.level or 0.0])[:, 0],
        "relevant": lambda: relevant.sum(1).double(),
    }
    return measures[name.form]()


def measure_buckets(buckets: Buckets, names: list[MetricName]) -> Tensor:
    """Metrics in expectation over the order within buckets, and those of a radius: (b, |names|), float64."""
    ties = Ties(buckets.total, buckets.relevant)
    return torch.stack([_of_buckets(buckets, ties, name) for name in names], 1)


def _of_buckets(buckets: Buckets, ties: Ties, name: MetricName) -> Tensor:
    total, relevant = buckets.total, buckets.relevant
    cut = ties.size if name.cut is None else name.cut
    found = ties.found.clamp(min=1)
    measures: dict[str, Callable[[], Tensor]] = {
        "map": lambda: expected_average_precision(total, relevant),
        "map@K/DEFINITION": lambda: expected_average_precision(total, relevant, cut, str(name.variant)),
        "precision@K": lambda: _hits(ties, cut) / cut,
        "recall@K": lambda: _hits(ties, cut) / found,
        "r-precision": lambda: _hits(ties, ties.found[:, None]) / found,
        "ndcg@K/GAIN": lambda: _ndcg(buckets, ties, cut, str(name.variant)),
        "precision@recallLEVEL": lambda: expected_precision_at_recall(total, relevant, [name.level or 0.0])[:, 0],
        "precision@rRADIUS": lambda: _within(relevant, cut) / _within(total, cut).clamp(min=1),
        "recall@rRADIUS": lambda: _within(relevant, cut) / found,
        "lookup@rRADIUS": lambda: (_within(relevant, cut) > 0).double(),
        "relevant": lambda: ties.found.double(),
    }
    return measures[name.form]()


def _hits(ties: Ties, k: Tensor | int) -> Tensor:
    """Expected number of relevant items among the first k."""
    places = torch.arange(ties.size + 1, dtype=torch.float64, device=ties.total.device)
    return ties.sums(ties.relevant[:, :-1], places, k)


def _ndcg(buckets: Buckets, ties: Ties, cut: int, gain: str) -> Tensor:
    cut = min(cut, ties.size)
    reached = ties.sums(buckets.gains[gain], discount_sums(ties.size, ties.total.device), cut)
    return reached / ideal_dcg(buckets.grades, cut, gain)


def _within(counts: Tensor, radius: int) -> Tensor:
    return counts[:, : radius + 1].sum(1, dtype=torch.float64)
