"""Label graphs that guide image-text retrieval, on PyTorch Geometric."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from labelgraph.version import __version__

if TYPE_CHECKING:
    from labelgraph.data import CrossModalData, load_dataset, load_openclipart
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
    "summarize",
]

# Where these names come from. They are loaded when they are asked for: the help of the command needs no PyTorch.
_LAYERS = {
    "data": ("CrossModalData", "load_dataset", "load_openclipart"),
    "graph": ("cooccurrence_graph", "summarize"),
    "methods": ("METHODS", "Method", "build_method", "load_method"),
    "nn": ("AdaptiveAdjacency", "LabelConv", "LabelEmbedding", "LabelEncoder", "StaticAdjacency"),
    "metrics": ("evaluate",),
    "losses": (),
}


def __getattr__(name: str) -> Any:
    for layer, names in _LAYERS.items():
        if name == layer:
            return import_module(f"labelgraph.{layer}")
        if name in names:
            value = globals()[name] = getattr(import_module(f"labelgraph.{layer}"), name)
            return value
    raise AttributeError(f"module 'labelgraph' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_LAYERS})
