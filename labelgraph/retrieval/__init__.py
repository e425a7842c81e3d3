"""Retrieval measured: ranking in blocks, metrics as functions and by name, protocols.

`labelgraph.retrieval.modules` has them as `torchmetrics.Metric`.
"""

from labelgraph.retrieval.by_name import class_means, query_metrics, retrieval_metrics
from labelgraph.retrieval.codes import pack_bits, unpack_bits
from labelgraph.retrieval.evaluate import RetrievalReport, evaluate, mean_average_precision
from labelgraph.retrieval.expected import expected_average_precision, expected_precision_at_recall
from labelgraph.retrieval.expected_relevance import expected_relevance, expected_shared
from labelgraph.retrieval.metrics import (
    DEFINITIONS,
    average_precision,
    precision_at,
    precision_at_recall,
    r_precision,
    recall_at,
)
from labelgraph.retrieval.names import METRICS
from labelgraph.retrieval.ndcg import GAINS, ndcg_at
from labelgraph.retrieval.protocols import DIRECTIONS, PROTOCOLS, Encoder, evaluate_protocol, protocol_metrics
from labelgraph.retrieval.ranking import ranked_relevance
from labelgraph.retrieval.relevance import RELEVANCES

__all__ = [
    "DEFINITIONS",
    "DIRECTIONS",
    "GAINS",
    "METRICS",
    "PROTOCOLS",
    "RELEVANCES",
    "Encoder",
    "RetrievalReport",
    "average_precision",
    "class_means",
    "evaluate",
    "evaluate_protocol",
    "expected_average_precision",
    "expected_precision_at_recall",
    "expected_relevance",
    "expected_shared",
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
