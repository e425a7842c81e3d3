"""Evaluation protocols by name: which split searches which.

A split (`labelgraph.data.SPLITS`) says which items are for what; a protocol says which of its parts search which.
Any split can be evaluated by either protocol, as each gives all parts. What the papers do is a pair of both:

- label-graph methods: split ``test-vs-test``, protocol ``test-vs-test``;
- hashing: split ``dcmh`` or ``agah``, protocol ``query-vs-database``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from labelgraph._core.names import check_name
from labelgraph._core.similarity import Embeddings, Vectors, as_embeddings, as_matrix
from labelgraph.data import CrossModalData
from labelgraph.metrics.compute import DEFAULT_METRICS, retrieval_metrics
from labelgraph.metrics.grades import Relevance
from labelgraph.metrics.ranked import average_precision, precision_at, precision_at_recall
from labelgraph.metrics.ranking import as_binary, ranked_relevance

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
    query: Vectors,
    database: Vectors,
    query_labels: Any,
    database_labels: Any,
    *,
    similarity: str | None = None,
    k: int | None = None,
    definition: str = "topk",
    ks: Sequence[int] = DEFAULT_KS,
    recall: Sequence[float] = DEFAULT_RECALL,
    block_size: int | None = None,
    relevance: Relevance = "shared",
    query_ids: Any = None,
    database_ids: Any = None,
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
        >>> from labelgraph.metrics import evaluate
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
    carried = as_matrix("query_labels", query_labels).to(scores.device).double()
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
    query: Vectors,
    database: Vectors,
    query_labels: Any,
    database_labels: Any,
    *,
    similarity: str | None = None,
    k: int | None = None,
    definition: str = "topk",
    block_size: int | None = None,
    relevance: Relevance = "shared",
    query_ids: Any = None,
    database_ids: Any = None,
) -> float:
    """The mean average precision alone, as `evaluate` has it, without the cost of the rest.

    Example:
        >>> import torch
        >>> from labelgraph.metrics import mean_average_precision
        >>> mean_average_precision(torch.eye(2), torch.eye(2), torch.eye(2), torch.eye(2))
        1.0
    """
    options: dict[str, Any] = {"relevance": relevance, "query_ids": query_ids, "database_ids": database_ids}
    labels = query_labels, database_labels
    blocks = ranked_relevance(query, database, *labels, similarity, block_size, **options)
    return torch.cat([average_precision(as_binary(block), k, definition) for block in blocks]).mean().item()


Encoder = Callable[[CrossModalData], tuple[Vectors, Vectors]]

PROTOCOLS = {"test-vs-test": ("test", "test"), "query-vs-database": ("query", "database")}
DIRECTIONS = ("image_to_text", "text_to_image")
ENCODED_ROWS = 2**14


def evaluate_protocol(
    encode: Encoder, data: CrossModalData, protocol: str = "test-vs-test", **options: Any
) -> dict[str, RetrievalReport]:
    """Evaluate retrieval both ways.

    ``test-vs-test`` (ALGCN, DAGNN and others): the test set is both the queries and the gallery.
    ``query-vs-database`` (hashing): the query split searches the other side of the database split. Items
    of which a side is missing do not query with it and are not found by it. The names are of what is searched; how
    the items were dealt out before is the split's doing, see `labelgraph.data.make_splits`.

    Args:
        encode: Gives the image and the text embeddings, or packed codes, of some pairs.
        data: Data with the splits that the protocol names.
        protocol: Key of ``PROTOCOLS``.
        options: Of `evaluate`.

    Returns:
        A report for ``image_to_text`` and one for ``text_to_image``.

    Raises:
        ValueError: If the protocol is unknown, or the data lack a split.

    Example:
        >>> import torch
        >>> from labelgraph.data import CrossModalData
        >>> from labelgraph.metrics import evaluate_protocol
        >>> data = CrossModalData(torch.eye(3), torch.eye(3), torch.eye(3), splits={"test": [0, 2]})
        >>> reports = evaluate_protocol(lambda pairs: (pairs.image, pairs.text), data)
        >>> reports["text_to_image"].mean_average_precision
        1.0
    """
    similarity = options.pop("similarity", None)
    sides = _sides(encode, data, protocol, similarity)
    return {way: evaluate(query, database, *labels, **options) for way, (query, database, labels, _) in sides.items()}


def protocol_metrics(
    encode: Encoder,
    data: CrossModalData,
    protocol: str = "test-vs-test",
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    leave_out_own: bool = False,
    **options: Any,
) -> dict[str, dict[str, float]]:
    """Metrics by name, both ways, under a protocol.

    Args:
        encode: See `evaluate_protocol`.
        data: See there.
        protocol: See there.
        metrics: Names, see `query_metrics`.
        leave_out_own: Whether a query does not search its own pair, where that is in the database. The published
            protocols search it.
        options: Of `retrieval_metrics`.

    Returns:
        Means by full name, for ``image_to_text`` and for ``text_to_image``.

    Raises:
        ValueError: If the protocol or a metric is unknown, or the data lack a split.

    Example:
        >>> import torch
        >>> from labelgraph.data import CrossModalData
        >>> from labelgraph.metrics import protocol_metrics
        >>> data = CrossModalData(torch.eye(3), torch.eye(3), torch.ones(3, 1), splits={"test": [0, 2]})
        >>> protocol_metrics(lambda pairs: (pairs.image, pairs.text), data, metrics=["map", "relevant"],
        ...                  leave_out_own=True)
        {'image_to_text': {'map': 1.0, 'relevant': 1.0}, 'text_to_image': {'map': 1.0, 'relevant': 1.0}}
    """
    found = {}
    similarity = options.pop("similarity", None)
    for way, (query, database, labels, ids) in _sides(encode, data, protocol, similarity).items():
        own: dict[str, Any] = {"query_ids": ids[0], "database_ids": ids[1]} if leave_out_own else {}
        found[way] = retrieval_metrics(query, database, *labels, metrics, **{**own, **options})
    return found


Pair = tuple[Tensor, Tensor]
Side = tuple[Embeddings, Embeddings, Pair, Pair]


def _sides(encode: Encoder, data: CrossModalData, protocol: str, similarity: str | None) -> dict[str, Side]:
    """Queries, database, labels of both and places in the data of both, by direction."""
    check_name("protocol", protocol, PROTOCOLS)
    query, database = (data.rows(name) for name in PROTOCOLS[protocol])
    asks = _encoded(encode, data, query, similarity)
    has = asks if torch.equal(query, database) else _encoded(encode, data, database, similarity)

    def side(asker: int, other: int) -> Side:
        asking, held = data.present[query, asker], data.present[database, other]
        ids = query[asking], database[held]
        return asks[asker][asking], has[other][held], (data.labels[ids[0]], data.labels[ids[1]]), ids

    return {way: side(asker, 1 - asker) for asker, way in enumerate(DIRECTIONS)}


def _encoded(
    encode: Encoder, data: CrossModalData, rows: Tensor, similarity: str | None
) -> tuple[Embeddings, Embeddings]:
    """Embeddings of some rows, in blocks: the features may be mapped from files larger than memory."""
    images, texts = zip(*(encode(data.select(part)) for part in rows.split(ENCODED_ROWS)), strict=True)
    return (
        Embeddings.cat([as_embeddings("image", part, similarity) for part in images]),
        Embeddings.cat([as_embeddings("text", part, similarity) for part in texts]),
    )
