"""Retrieval evaluation: ranking in blocks, metrics as functions and by name, protocols.

`labelgraph.metrics.modules` has the metrics as `torchmetrics.Metric`.
"""

from typing import TYPE_CHECKING

from labelgraph._core.lazy import lazy_exports

if TYPE_CHECKING:
    from labelgraph._core.embeddings import Embeddings
    from labelgraph._core.packed_bits import pack_bits, unpack_bits
    from labelgraph._core.similarity import SIMILARITIES
    from labelgraph.metrics.compute import query_metrics
    from labelgraph.metrics.grades import RELEVANCES
    from labelgraph.metrics.label_ranking import LabelReport, evaluate_labels, label_average_precision, label_report
    from labelgraph.metrics.metric import Metric
    from labelgraph.metrics.metric_options import DEFAULT_METRICS, DIRECTIONS, METRICS, OWN_METRICS, PROTOCOLS
    from labelgraph.metrics.propensity import propensities, propensity_scored
    from labelgraph.metrics.protocols import Encoder, evaluate_protocol
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
    from labelgraph.metrics.retrieval_report import RetrievalReport, class_means, evaluate, mean_average_precision
    from labelgraph.metrics.sharded import sharded_metrics
    from labelgraph.metrics.short_queries import (
        QueryReport,
        evaluate_short_queries,
        label_query_precision,
        typed_word_precision,
    )
    from labelgraph.metrics.ties import expected_average_precision, expected_precision_at_recall

__all__ = [
    "DEFAULT_METRICS",
    "DEFINITIONS",
    "DIRECTIONS",
    "GAINS",
    "METRICS",
    "OWN_METRICS",
    "PROTOCOLS",
    "RELEVANCES",
    "SIMILARITIES",
    "Embeddings",
    "Encoder",
    "LabelReport",
    "Metric",
    "QueryReport",
    "RetrievalReport",
    "average_precision",
    "class_means",
    "evaluate",
    "evaluate_labels",
    "evaluate_protocol",
    "evaluate_short_queries",
    "expected_average_precision",
    "expected_precision_at_recall",
    "label_average_precision",
    "label_query_precision",
    "label_report",
    "mean_average_precision",
    "ndcg_at",
    "pack_bits",
    "precision_at",
    "precision_at_recall",
    "propensities",
    "propensity_scored",
    "query_metrics",
    "r_precision",
    "ranked_relevance",
    "recall_at",
    "sharded_metrics",
    "typed_word_precision",
    "unpack_bits",
]

__getattr__, __dir__ = lazy_exports(__name__)
