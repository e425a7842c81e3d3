"""Metrics by name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from labelgraph.retrieval.metrics import DEFINITIONS
from labelgraph.retrieval.ndcg import GAINS

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
        >>> from labelgraph.retrieval.names import read_name
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
