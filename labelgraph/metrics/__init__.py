"""Retrieval evaluation: ranking in blocks, metrics as functions and by name, protocols.

`labelgraph.metrics.modules` has them as `torchmetrics.Metric`.
"""

from labelgraph._core.packed_bits import pack_bits, unpack_bits
from labelgraph._core.similarity import SIMILARITIES, Embeddings
from labelgraph.metrics.compute import class_means, query_metrics, retrieval_metrics
from labelgraph.metrics.grades import RELEVANCES
from labelgraph.metrics.named import METRICS
from labelgraph.metrics.protocols import (
    DIRECTIONS,
    PROTOCOLS,
    Encoder,
    RetrievalReport,
    evaluate,
    evaluate_protocol,
    mean_average_precision,
    protocol_metrics,
)
from labelgraph.metrics.ranked import (
    DEFINITIONS,
    GAINS,
    average_precision,
    ndcg_at,
    precision_at,
    precision_at_recall,
    r_precision,
    recall_at,
)
from labelgraph.metrics.ranking import ranked_relevance
from labelgraph.metrics.ties import expected_average_precision, expected_precision_at_recall

__all__ = [
    "DEFINITIONS",
    "DIRECTIONS",
    "GAINS",
    "METRICS",
    "PROTOCOLS",
    "RELEVANCES",
    "SIMILARITIES",
    "Embeddings",
    "Encoder",
    "RetrievalReport",
    "average_precision",
    "class_means",
    "evaluate",
    "evaluate_protocol",
    "expected_average_precision",
    "expected_precision_at_recall",
    "mean_average_precision",
    "ndcg_at",
    "pack_bits",
    "precision_at",
    "precision_at_recall",
    "protocol_metrics",
    "query_metrics",
    "r_precision",
    "ranked_relevance",
    "recall_at",
    "retrieval_metrics",
    "unpack_bits",
]
