"""Label graphs that guide image-text retrieval, on PyTorch Geometric."""

from labelgraph._core import early_signals  # noqa: F401  First, so that a signal during all other imports is handled.

# isort: split
from typing import TYPE_CHECKING

from labelgraph._core.lazy import lazy_exports
from labelgraph.version import __version__

if TYPE_CHECKING:
    from labelgraph.data import CrossModalData, load_dataset, load_openclipart, load_openclipart_keywords
    from labelgraph.graph import cooccurrence_graph, summarize
    from labelgraph.methods import METHODS, Method, build_method, load_method
    from labelgraph.metrics import evaluate
    from labelgraph.nn import AdaptiveAdjacency, LabelConv, LabelEmbedding, LabelEncoder, StaticAdjacency

__all__ = [
    "METHODS",
    "AdaptiveAdjacency",
    "CrossModalData",
    "LabelConv",
    "LabelEmbedding",
    "LabelEncoder",
    "Method",
    "StaticAdjacency",
    "__version__",
    "build_method",
    "cooccurrence_graph",
    "evaluate",
    "load_dataset",
    "load_method",
    "load_openclipart",
    "load_openclipart_keywords",
    "summarize",
]

__getattr__, __dir__ = lazy_exports(__name__)
