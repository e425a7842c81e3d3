"""Label graphs as PyG `Data`: from labels, transformed, converted, summarised."""

from labelgraph.graph.conversion import from_networkx, to_networkx
from labelgraph.graph.cooccurrence import cooccurrence_graph
from labelgraph.graph.embedding import pmi_svd
from labelgraph.graph.summary import graph_statistics, summarize
from labelgraph.graph.transforms import KNN, PMI, Binarize, BinaryAdjacency, Reweight, Threshold

__all__ = [
    "KNN",
    "PMI",
    "Binarize",
    "BinaryAdjacency",
    "Reweight",
    "Threshold",
    "cooccurrence_graph",
    "from_networkx",
    "graph_statistics",
    "pmi_svd",
    "summarize",
    "to_networkx",
]
