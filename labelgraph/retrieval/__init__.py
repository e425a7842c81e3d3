"""Retrieval measured: ranking in blocks, metrics as functions, protocols."""

from labelgraph.retrieval.codes import pack_bits, unpack_bits
from labelgraph.retrieval.evaluate import RetrievalReport, evaluate, mean_average_precision
from labelgraph.retrieval.metrics import DEFINITIONS, average_precision, precision_at, precision_at_recall
from labelgraph.retrieval.protocols import DIRECTIONS, PROTOCOLS, Encoder, evaluate_protocol
from labelgraph.retrieval.ranking import ranked_relevance

__all__ = [
    "DEFINITIONS",
    "DIRECTIONS",
    "PROTOCOLS",
    "Encoder",
    "RetrievalReport",
    "average_precision",
    "evaluate",
    "evaluate_protocol",
    "mean_average_precision",
    "pack_bits",
    "precision_at",
    "precision_at_recall",
    "ranked_relevance",
    "unpack_bits",
]
