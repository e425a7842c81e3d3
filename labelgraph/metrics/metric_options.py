"""Names of metrics, protocols and options of an evaluation, without PyTorch, so that command help is fast."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from labelgraph._core.lazy import LazyTable
from labelgraph._core.names import did_you_mean

if TYPE_CHECKING:
    from labelgraph.metrics.metric import Metric

DEFAULT_METRICS = (
    "map", "map@50/topk", "precision@10", "recall@10", "r-precision", "ndcg@10/linear", "jaccard@10", "exact@10",
)  # fmt: skip
OWN_METRICS = ("own@1", "own@5", "own@10", "own-rank")  # Used if the own pairs of the queries are in the database.
DIRECTIONS = ("image_to_text", "text_to_image")
# The split of the queries, and the split of the gallery.
PROTOCOLS = {"test-vs-test": ("test", "test"), "query-vs-database": ("query", "database")}
TIES = ("database", "expected")
WITHOUT_RELEVANT = ("zero", "skip")

# Metrics by the form of their names.
METRICS: LazyTable[type[Metric]] = LazyTable(
    {
        "map": "labelgraph.metrics.measures:_AveragePrecision",
        "map@K/DEFINITION": "labelgraph.metrics.measures:_AveragePrecisionAt",
        "precision@K": "labelgraph.metrics.measures:_PrecisionAt",
        "recall@K": "labelgraph.metrics.measures:_RecallAt",
        "r-precision": "labelgraph.metrics.measures:_RPrecision",
        "ndcg@K/GAIN": "labelgraph.metrics.measures:_Ndcg",
        "precision@recallLEVEL": "labelgraph.metrics.measures:_PrecisionAtRecall",
        "precision@rRADIUS": "labelgraph.metrics.measures:_PrecisionWithin",
        "recall@rRADIUS": "labelgraph.metrics.measures:_RecallWithin",
        "lookup@rRADIUS": "labelgraph.metrics.measures:_LookupWithin",
        "relevant": "labelgraph.metrics.measures:_Relevant",
        "precision@min(K,R)": "labelgraph.metrics.measures:_PrecisionAtMin",
        "jaccard@K": "labelgraph.metrics.measures:_JaccardAt",
        "exact@K": "labelgraph.metrics.measures:_ExactAt",
        "own@K": "labelgraph.metrics.measures:_OwnAt",
        "own-rank": "labelgraph.metrics.measures:_OwnRank",
    }
)
# Patterns of the names.
PATTERNS = {
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
    "precision@min(K,R)": r"precision@min\((?P<cut>\d+),R\)",
    "jaccard@K": r"jaccard@(?P<cut>\d+)",
    "exact@K": r"exact@(?P<cut>\d+)",
    "own@K": r"own@(?P<cut>\d+)",
    "own-rank": r"own-rank",
}


def check_metric_name(name: str) -> None:
    """Check that a name has the form of a metric. For the metrics of this library, PyTorch is not imported.

    Raises:
        ValueError: If no metric has names of this form.

    Example:
        >>> from labelgraph.metrics.metric_options import check_metric_name
        >>> check_metric_name("recall@10")
    """
    patterns = [METRICS[form].pattern if METRICS.is_loaded(form) else PATTERNS[form] for form in METRICS]
    if not any(re.fullmatch(pattern, name) for pattern in patterns):
        raise unknown_metric(name)


def unknown_metric(name: Any) -> ValueError:
    """The error on a name that no metric has; it lists the known forms."""
    meant = did_you_mean(name, [*DEFAULT_METRICS, *OWN_METRICS, *METRICS]) if isinstance(name, str) else ""
    return ValueError(f"'metrics' must be of the forms {', '.join(METRICS)} (got {name!r}){meant}")
