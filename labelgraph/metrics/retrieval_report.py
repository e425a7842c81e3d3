"""Evaluation of embeddings in one direction of retrieval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributed import ProcessGroup

from labelgraph._core.array_kinds import plain_array
from labelgraph._core.embeddings import Vectors, as_matrix
from labelgraph._core.names import check_name
from labelgraph.metrics.compute import query_metrics, read_metrics
from labelgraph.metrics.grades import Relevance
from labelgraph.metrics.measures import parse_metric
from labelgraph.metrics.metric import Metric
from labelgraph.metrics.metric_options import DEFAULT_METRICS, METRICS, OWN_METRICS, WITHOUT_RELEVANT
from labelgraph.metrics.ranked import check_average_precision, check_cuts, check_levels
from labelgraph.metrics.sparse_labels import SparseLabels

DEFAULT_KS = (1, 5, 10, 50, 100)
DEFAULT_RECALL = tuple(i / 20 for i in range(21))


@dataclass(frozen=True)
class RetrievalReport:
    """Results of one direction of retrieval.

    Args:
        mean_average_precision: Mean over all queries; queries without relevant items count as 0.
        per_class: Mean average precision of the queries with each label, (C,); NaN if no query has the label.
        ks: Cut-offs of ``precision``.
        precision: Mean precision at each cut-off.
        recall: Levels of ``precision_at_recall``.
        precision_at_recall: Mean precision at each recall level.
        num_queries: Number of queries.
        num_without_relevant: Number of queries without a relevant item.
        metrics: Metrics over all queries by full name, see `query_metrics`.
    """

    mean_average_precision: float
    per_class: list[float]
    ks: list[int]
    precision: list[float]
    recall: list[float]
    precision_at_recall: list[float]
    num_queries: int
    num_without_relevant: int
    metrics: Mapping[str, float] = field(default_factory=dict)


def evaluate(
    query: Vectors,
    database: Vectors,
    query_labels: Any = None,
    database_labels: Any = None,
    metrics: Sequence[str | Metric] | None = None,
    *,
    similarity: str | None = None,
    k: int | None = None,
    definition: str = "topk",
    ks: Sequence[int] = DEFAULT_KS,
    recall: Sequence[float] = DEFAULT_RECALL,
    relevance: Relevance = "shared",
    ties: str = "database",
    query_ids: Any = None,
    database_ids: Any = None,
    leave_out_own: bool = True,
    without_relevant: str = "zero",
    block_size: int | None = None,
    group: ProcessGroup | None = None,
    progress: Callable[[int], object] | None = None,
) -> RetrievalReport:
    r"""Rank a database for queries and measure the ranking.

    Args:
        query: `Embeddings` of the queries, or a matrix of torch, NumPy or lists, shape :math:`(Q, H)`.
        database: Embeddings of the database, of the same kind, shape :math:`(N, H)`.
        query_labels: Multi-hot labels, dense or sparse, shape :math:`(Q, C)`; not needed if ``relevance`` is a matrix.
        database_labels: Multi-hot labels, dense or sparse, shape :math:`(N, C)`.
        metrics: Names of further metrics, see `query_metrics`. Defaults to ``DEFAULT_METRICS``, plus ``OWN_METRICS`` if
            the own pairs of queries are in the database.
        similarity: Similarity of plain matrices, see `Embeddings`; defaults to cosine.
        k: Cut-off of ``mean_average_precision``; defaults to the full ranking.
        definition: Definition of mAP with a cut-off, see `average_precision`.
        ks: Cut-offs of the report's precision.
        recall: Levels of the report's precision-recall curve.
        relevance: See `ranked_relevance`; an item with a grade above 0 is relevant.
        ties: See `query_metrics`.
        query_ids: See `query_metrics`.
        database_ids: See `query_metrics`.
        leave_out_own: See `query_metrics`.
        without_relevant: ``"zero"``: queries without relevant items count as 0 in every mean. ``"skip"``: these queries
            are left out.
        block_size: See `query_metrics`.
        group: See `query_metrics`.
        progress: See `query_metrics`.

    Raises:
        ValueError: As for `query_metrics`; or if all queries would be left out.

    Example:
        >>> import torch
        >>> from labelgraph.metrics import evaluate
        >>> embedding, labels = torch.eye(3), torch.eye(3)
        >>> report = evaluate(embedding, embedding, labels, labels, ["recall@1", "jaccard@2"])
        >>> report.mean_average_precision, report.metrics
        (1.0, {'recall@1': 1.0, 'jaccard@2': 0.5})
    """
    main = _main_metric(k, definition)
    check_name("without_relevant", without_relevant, WITHOUT_RELEVANT)
    own = not leave_out_own and query_ids is not None and _have_own(query_ids, database_ids)
    wanted = default_metrics(query_labels is not None, own) if metrics is None else metrics
    read = read_metrics(wanted, ties)
    precision, curve = _precisions(ks, recall)
    values = query_metrics(
        query, database, query_labels, database_labels, [main, parse_metric("relevant"), *precision, *curve, *read],
        similarity=similarity, relevance=relevance, ties=ties, query_ids=query_ids, database_ids=database_ids,
        leave_out_own=leave_out_own, block_size=block_size, group=group, progress=progress,
    )  # fmt: skip
    counted = _counted(values["relevant"], without_relevant)

    def means(metrics: Sequence[Metric]) -> dict[str, float]:
        return {metric.full: metric.summary(values[metric.full][counted]) for metric in metrics}

    return RetrievalReport(
        mean_average_precision=means([main])[main.full],
        per_class=[] if query_labels is None else class_means(values[main.full], query_labels).tolist(),
        ks=list(dict.fromkeys(ks)),
        precision=[*means(precision).values()],
        recall=list(dict.fromkeys(recall)),
        precision_at_recall=[*means(curve).values()],
        num_queries=len(values["relevant"]),
        num_without_relevant=int((values["relevant"] == 0).sum()),
        metrics=means(read),
    )


def default_metrics(labels: bool, own: bool) -> list[str]:
    """Return the default metrics that apply: some need labels, others need own pairs in the database."""
    needing = () if labels else ("jaccard@10", "exact@10")
    return [name for name in DEFAULT_METRICS if name not in needing] + (list(OWN_METRICS) if own else [])


def _precisions(ks: Sequence[int], recall: Sequence[float]) -> tuple[list[Metric], list[Metric]]:
    """Return the metrics of precision at cut-offs and at recall levels."""
    ks, recall = check_cuts(ks) if len(ks) else [], check_levels(recall)
    at, at_recall = METRICS["precision@K"], METRICS["precision@recallLEVEL"]
    return (
        [at(f"precision@{k}", cut=k) for k in dict.fromkeys(ks)],
        [at_recall(f"precision@recall{level}", level=level) for level in dict.fromkeys(recall)],
    )


def _have_own(query_ids: Any, database_ids: Any) -> bool:
    return bool(np.isin(np.asarray(query_ids), np.asarray(database_ids)).any())


def _counted(relevant: Tensor, without_relevant: str) -> Tensor:
    """Return the mask of the queries that count in means."""
    counted = relevant > 0 if without_relevant == "skip" else torch.ones_like(relevant, dtype=torch.bool)
    if not counted.any():
        raise ValueError("'without_relevant' must be 'zero' where no query has a relevant item (got 'skip')")
    return counted


def class_means(values: Any, query_labels: Any) -> Tensor:
    """Compute the mean of a metric over the queries with each label, including queries without relevant items.

    Args:
        values: Values of the queries, shape (Q,), from `query_metrics`.
        query_labels: Multi-hot labels, dense or sparse, shape (Q, C).

    Returns:
        Means by label, shape (C,), float64; NaN if no query has the label.

    Raises:
        ValueError: If the numbers of values and of rows of the labels differ.

    Example:
        >>> import torch
        >>> from labelgraph.metrics import class_means
        >>> class_means(torch.tensor([1.0, 0.5]), torch.tensor([[1, 0, 0], [1, 1, 0]]))
        tensor([0.7500, 0.5000,    nan], dtype=torch.float64)
    """
    sparse = SparseLabels.read("query_labels", query_labels, multi_hot=False)
    labels = as_matrix("query_labels", query_labels) if sparse is None else sparse
    values = values if isinstance(values, Tensor) else torch.from_numpy(plain_array("values", values))
    if values.ndim != 1 or len(labels) != len(values):
        raise ValueError(
            f"'query_labels' must have {len(values)} rows, one per value (got shape {tuple(labels.shape)})"
        )
    if isinstance(labels, SparseLabels):
        hot = (labels.matrix > 0).astype(np.float64)
        with np.errstate(invalid="ignore"):
            return torch.from_numpy((hot.T @ values.double().cpu().numpy()) / np.asarray(hot.sum(0)))
    carried = (labels > 0).to(values.device).double()
    return carried.t() @ values.double() / carried.sum(0)


def mean_average_precision(
    query: Vectors,
    database: Vectors,
    query_labels: Any = None,
    database_labels: Any = None,
    *,
    k: int | None = None,
    definition: str = "topk",
    **options: Any,
) -> float:
    """Compute only the mean average precision of `evaluate`, without the cost of the other metrics.

    Args:
        query: See `evaluate`.
        database: See `evaluate`.
        query_labels: See `evaluate`.
        database_labels: See `evaluate`.
        k: See `evaluate`.
        definition: See `evaluate`.
        options: Options of `query_metrics`.

    Example:
        >>> import torch
        >>> from labelgraph.metrics import mean_average_precision
        >>> mean_average_precision(torch.eye(2), torch.eye(2), torch.eye(2), torch.eye(2))
        1.0
    """
    main = _main_metric(k, definition)
    values = query_metrics(query, database, query_labels, database_labels, [main], **options)
    return main.summary(values[main.full])


def _main_metric(k: int | None, definition: str) -> Metric:
    check_average_precision(k, definition)
    return parse_metric("map" if k is None else f"map@{k}/{definition}")
