"""The base class of metrics: names, descriptions, and values of rankings, of ties and of all queries."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import torch
from torch import Tensor

from labelgraph.metrics.ranked import average_precision, ndcg_at, precision_of_hits, r_precision
from labelgraph.metrics.ties import Buckets


class Ranking:
    """Relevance of the database in ranked order, for some queries.

    Args:
        grades: Grades in ranked order, (b, N): uint8 for relevant or not, otherwise int32.
        value: Function that computes `Ranking.value`, if a metric needs it.
    """

    def __init__(self, grades: Tensor, value: Callable[[str, int | None], Tensor] | None = None) -> None:
        self._grades, self._value = grades, value

    @property
    def grades(self) -> Tensor:
        """Grades in ranked order, (b, N)."""
        return self._grades

    def value(self, name: str, k: int | None = None) -> Tensor:
        """Return a value of `ItemValues` for the first k items, by default for all, float64, (b, min(k, N))."""
        assert self._value is not None  # Given if a metric has an `item_value`.
        return self._value(name, k)

    @cached_property
    def relevant(self) -> Tensor:
        """1 or 0, uint8, (b, N)."""
        return self.grades if self.grades.dtype == torch.uint8 else (self.grades > 0).to(torch.uint8)

    @cached_property
    def hits(self) -> Tensor:
        """Number of relevant items up to each rank, (b, N)."""
        return self.relevant.cumsum(1)

    @cached_property
    def num_relevant(self) -> Tensor:
        """Number of relevant items of each query, (b,)."""
        return self.relevant.sum(1)

    def first(self, k: int) -> Tensor:
        """1 or 0 for the first k items, uint8, (b, min(k, N))."""
        return self.relevant[:, :k]

    def average_precision(self, k: int | None, definition: str) -> Tensor:
        """See `labelgraph.metrics.average_precision`."""
        return average_precision(self.relevant, k, definition)

    def r_precision(self) -> Tensor:
        """See `labelgraph.metrics.r_precision`."""
        return r_precision(self.relevant)

    def precision_at_recall(self, level: float) -> Tensor:
        """See `labelgraph.metrics.precision_at_recall`."""
        return precision_of_hits(self.hits, [level])[:, 0]

    def ndcg(self, k: int | None, gain: str) -> Tensor:
        """See `labelgraph.metrics.ndcg_at`."""
        return ndcg_at(self.grades, [k], gain)[:, 0]

    @cached_property
    def own_rank(self) -> Tensor:
        """Rank of the first item that has the id of the query, from 1; NaN without such an item; float64, (b,)."""
        own = self.value("own", None)
        return torch.where(own.any(1), own.argmax(1).double() + 1, torch.nan)


@dataclass(frozen=True)
class Metric(ABC):
    """A metric with its cut-off and variant; the base class of all metrics.

    A subclass defines its form, pattern and meaning, and computes its values from a `Ranking` and from `Buckets` of
    ties. An entry in `METRICS` then makes the metric available in `evaluate`, the commands and the tables.

    Args:
        full: Full name, with the definition or the gain.
        cut: Cut-off or radius.
        variant: Definition of mAP or gain of nDCG.
        level: Recall level.
    """

    full: str
    cut: int | None = None
    variant: str | None = None
    level: float | None = None

    form: ClassVar[str]
    pattern: ClassVar[str]
    meaning: ClassVar[str]
    variants: ClassVar[tuple[str, ...]] = ()
    least: ClassVar[int] = 1  # Smallest cut-off.
    higher_is_better: ClassVar[bool] = True
    needs_grades: ClassVar[bool] = False  # Whether it needs grades, not only relevant or not.
    needs_distances: ClassVar[bool] = False  # Whether it uses a Hamming radius, whose items have no order.
    item_value: ClassVar[str | None] = None  # Value that it needs in addition to grades, see `ItemValues`.

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Parse a name; return None if the name belongs to another metric.

        Raises:
            ValueError: If the cut-off, variant or level is wrong.
        """
        match = re.fullmatch(cls.pattern, name)
        if match is None:
            return None
        cut, variant, level = (match.groupdict().get(part) for part in ("cut", "variant", "level"))
        if cut is not None and int(cut) < cls.least:
            raise ValueError(f"'metrics' must have cut-offs of at least {cls.least} (got {name!r})")
        if level is not None and float(level) > 1:
            raise ValueError(f"'metrics' must have recall levels in [0, 1] (got {name!r})")
        if variant is not None and variant not in cls.variants:
            raise ValueError(f"'metrics' must end in one of {', '.join(cls.variants)} after the '/' (got {name!r})")
        full = f"{name}/{cls.variants[0]}" if cls.variants and variant is None else name
        variant = variant or next(iter(cls.variants), None)
        return cls(full, None if cut is None else int(cut), variant, None if level is None else float(level))

    @property
    def num_values(self) -> int | None:
        """Number of first items whose `item_value` it reads; None for all."""
        return None

    @abstractmethod
    def of_ranking(self, ranking: Ranking) -> Tensor:
        """Compute the values of the queries of a ranking, float64, (b,)."""

    @abstractmethod
    def of_buckets(self, buckets: Buckets) -> Tensor:
        """Compute the expected values over the order within buckets, float64, (b,)."""

    def summary(self, values: Tensor) -> float:
        """Return the value over all queries: their mean, without queries whose value is NaN."""
        return values.nanmean().item()

    @property
    def depth(self) -> int:
        """The cut-off, for metrics that require one."""
        assert self.cut is not None
        return self.cut
