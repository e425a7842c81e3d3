"""Metrics by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from labelgraph.metrics.ranked import (
    DEFINITIONS,
    GAINS,
    average_precision,
    discount_sums,
    ideal_dcg,
    ndcg_at,
    precision_at,
    precision_at_recall,
    r_precision,
    recall_at,
)
from labelgraph.metrics.ranking import as_binary
from labelgraph.metrics.ties import Buckets, Ties, expected_average_precision, expected_precision_at_recall

# What a name looks like, and which pattern reads it. The kind of a metric is the first of the two without "@".
METRICS = {
    "map": r"map",
    "map@K/DEFINITION": r"map@(?P<cut>\d+)(?:/(?P<variant>.+))?",
    "precision@K": r"precision@(?P<cut>\d+)",
    "recall@K": r"recall@(?P<cut>\d+)",
    "r-precision": r"r-precision",
    "ndcg@K/GAIN": r"ndcg(?:@(?P<cut>\d+))?(?:/(?P<variant>.+))?",
    "precision@recallLEVEL": r"precision@recall(?P<level>[01]|[01]?\.\d+)",
    "precision@rRADIUS": r"precision@r(?P<cut>\d+)",
    "recall@rRADIUS": r"recall@r(?P<cut>\d+)",
    "lookup@rRADIUS": r"lookup@r(?P<cut>\d+)",
    "relevant": r"relevant",
}
VARIANTS = {"map@K/DEFINITION": DEFINITIONS, "ndcg@K/GAIN": tuple(GAINS)}


@dataclass(frozen=True)
class MetricName:
    """A name, read.

    Args:
        form: Key of ``METRICS``.
        full: The name with its definition or gain.
        cut: Cut-off or radius.
        variant: Definition of mAP or gain of nDCG.
        level: Recall level.
    """

    form: str
    full: str
    cut: int | None = None
    variant: str | None = None
    level: float | None = None

    @property
    def needs_distances(self) -> bool:
        """Whether it is about what lies within a Hamming radius."""
        return self.form.endswith("@rRADIUS")

    @property
    def needs_grades(self) -> bool:
        """Whether more than relevant or not is asked."""
        return self.form == "ndcg@K/GAIN"


def read_name(name: str) -> MetricName:
    """Read the name of a metric.

    Raises:
        ValueError: If it is unknown, lacks a cut-off, or the cut-off is 0.

    Example:
        >>> from labelgraph.metrics.named import read_name
        >>> read_name("map@50").full
        'map@50/topk'
    """
    for form, pattern in METRICS.items():
        match = re.fullmatch(pattern, name)
        if match:
            return _named(form, name, match.groupdict())
    raise ValueError(f"'metrics' must be of the forms {', '.join(METRICS)} (got {name!r})")


def _named(form: str, name: str, groups: dict[str, str | None]) -> MetricName:
    cut, variant, level = (groups.get(part) for part in ("cut", "variant", "level"))
    if cut is not None and int(cut) < 1 and not form.endswith("@rRADIUS"):
        raise ValueError(f"'metrics' must have cut-offs of at least 1 (got {name!r})")
    if level is not None and float(level) > 1:
        raise ValueError(f"'metrics' must have recall levels in [0, 1] (got {name!r})")
    known = VARIANTS.get(form)
    if known and variant is not None and variant not in known:
        raise ValueError(f"'metrics' must end in one of {', '.join(known)} after the '/' (got {name!r})")
    full = f"{name}/{known[0]}" if known and variant is None else name
    return MetricName(
        form,
        full,
        None if cut is None else int(cut),
        known[0] if known and variant is None else variant,
        None if level is None else float(level),
    )


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
