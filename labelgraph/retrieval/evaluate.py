"""Retrieval quality of embeddings, streamed, by a named protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from labelgraph.retrieval.metrics import average_precision, precision_at, precision_at_recall
from labelgraph.retrieval.ranking import ranked_relevance

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
) -> RetrievalReport:
    r"""Rank a database for queries and measure the ranking; an item is relevant if it shares a label.

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

    Example:
        >>> import torch
        >>> from labelgraph.retrieval import evaluate
        >>> embedding, labels = torch.eye(3), torch.eye(3)
        >>> evaluate(embedding, embedding, labels, labels).mean_average_precision
        1.0
    """
    ap, precision, curve, found = [], [], [], []
    for relevance in ranked_relevance(query, database, query_labels, database_labels, similarity, block_size):
        ap.append(average_precision(relevance, k, definition))
        precision.append(precision_at(relevance, ks))
        curve.append(precision_at_recall(relevance, recall))
        found.append(relevance.bool().any(1))  # `any` of uint8 is uint8, where ~ is no negation.
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
) -> float:
    """The mean average precision alone, as `evaluate` has it, without the cost of the rest.

    Example:
        >>> import torch
        >>> from labelgraph.retrieval import mean_average_precision
        >>> mean_average_precision(torch.eye(2), torch.eye(2), torch.eye(2), torch.eye(2))
        1.0
    """
    blocks = ranked_relevance(query, database, query_labels, database_labels, similarity, block_size)
    return torch.cat([average_precision(block, k, definition) for block in blocks]).mean().item()
