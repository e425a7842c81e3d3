"""Label graphs as PyG `Data`: construction from labels or label names, merging, transforms, conversion, summaries."""

from typing import TYPE_CHECKING

from labelgraph._core.lazy import lazy_exports

if TYPE_CHECKING:
    from labelgraph.graph.conversion import from_networkx, graph_statistics, summarize, to_networkx
    from labelgraph.graph.cooccurrence import cooccurrence_graph, pmi_svd
    from labelgraph.graph.meaning import meaning_graph, merge_graphs
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
    "meaning_graph",
    "merge_graphs",
    "pmi_svd",
    "summarize",
    "to_networkx",
]

__getattr__, __dir__ = lazy_exports(__name__)
