"""Retrieval quality of embeddings, streamed, by a named protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from labelgraph.retrieval.metrics import average_precision, precision_at, precision_at_recall
from labelgraph.retrieval.ranking import as_binary, ranked_relevance
from labelgraph.retrieval.relevance import Relevance

DEFAULT_KS = (1, 5, 10, 50, 100)
DEFAULT_RECALL = tuple(i / 20 for i in range(21))


@dataclass(frozen=True)
class RetrievalReport:
    """One direction of retrieval, measured.

    Args:
        mean_average_precision: Mean over all queries; queries without relevant items count 0.
        per_class: Mean over the queries that carry each label, (C,); NaN where none does.
        ks: Cut-offs of ``precision``.
        precision: Mean precision at each cut-off.
        recall: Levels of ``precision_at_recall``.
        precision_at_recall: Mean precision at each recall level.
        num_queries: How many queries.
        num_without_relevant: How many queries had no relevant item.
    """

    mean_average_precision: float
    per_class: list[float]
    ks: list[int]
    precision: list[float]
    recall: list[float]
    precision_at_recall: list[float]
    num_queries: int
    num_without_relevant: int


def evaluate(
    query: Tensor,
    database: Tensor,
    query_labels: Tensor,
    database_labels: Tensor,
    *,
    similarity: str = "cosine",
    k: int | None = None,
    definition: str = "topk",
    ks: Sequence[int] = DEFAULT_KS,
    recall: Sequence[float] = DEFAULT_RECALL,
    block_size: int | None = None,
    relevance: Relevance = "shared",
    query_ids: Tensor | None = None,
    database_ids: Tensor | None = None,
) -> RetrievalReport:
    r"""Rank a database for queries and measure the ranking.

    Args:
        query: Embeddings of the queries, shape :math:`(Q, H)`.
        database: Embeddings of the database, shape :math:`(N, H)`; the queries' other side for
            ``test-vs-test``.
        query_labels: Multi-hot, shape :math:`(Q, C)`.
        database_labels: Multi-hot, shape :math:`(N, C)`.
        similarity: ``"cosine"``, ``"dot"``, or ``"hamming"`` for codes of `pack_bits`.
        k: Cut-off of mAP; by default none.
        definition: Of mAP with a cut-off, see `average_precision`.
        ks: Cut-offs of precision.
        recall: Levels of the precision-recall curve.
        block_size: Queries held at a time, see `ranked_relevance`.
        relevance: See `ranked_relevance`, as for ``query_ids`` and ``database_ids``; above 0 is relevant.
        query_ids: See there.
        database_ids: See there.

    Example:
        >>> import torch
        >>> from labelgraph.retrieval import evaluate
        >>> embedding, labels = torch.eye(3), torch.eye(3)
        >>> evaluate(embedding, embedding, labels, labels).mean_average_precision
        1.0
    """
    ap, precision, curve, found = [], [], [], []
    options: dict[str, Any] = {"relevance": relevance, "query_ids": query_ids, "database_ids": database_ids}
    labels = query_labels, database_labels
    for block in ranked_relevance(query, database, *labels, similarity, block_size, **options):
        ranked = as_binary(block)
        ap.append(average_precision(ranked, k, definition))
        precision.append(precision_at(ranked, ks))
        curve.append(precision_at_recall(ranked, recall))
        found.append(ranked.bool().any(1))  # `any` of uint8 is uint8, where ~ is no negation.
    scores = torch.cat(ap)
    carried = query_labels.to(scores.device).double()
    return RetrievalReport(
        mean_average_precision=scores.mean().item(),
        per_class=(carried.t() @ scores / carried.sum(0)).tolist(),
        ks=list(ks),
        precision=torch.cat(precision).mean(0).tolist(),
        recall=list(recall),
        precision_at_recall=torch.cat(curve).mean(0).tolist(),
        num_queries=len(scores),
        num_without_relevant=int((~torch.cat(found)).sum()),
    )


def mean_average_precision(
    query: Tensor,
    database: Tensor,
    query_labels: Tensor,
    database_labels: Tensor,
    *,
    similarity: str = "cosine",
    k: int | None = None,
    definition: str = "topk",
    block_size: int | None = None,
    relevance: Relevance = "shared",
    query_ids: Tensor | None = None,
    database_ids: Tensor | None = None,
) -> float:
    """The mean average precision alone, as `evaluate` has it, without the cost of the rest.

    Example:
        >>> import torch
        >>> from labelgraph.retrieval import mean_average_precision
        >>> mean_average_precision(torch.eye(2), torch.eye(2), torch.eye(2), torch.eye(2))
        1.0
    """
    options: dict[str, Any] = {"relevance": relevance, "query_ids": query_ids, "database_ids": database_ids}
    labels = query_labels, database_labels
    blocks = ranked_relevance(query, database, *labels, similarity, block_size, **options)
    return torch.cat([average_precision(as_binary(block), k, definition) for block in blocks]).mean().item()
