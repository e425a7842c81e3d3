"""Retrieval methods, each a thin class over the layers of the library. ``METHODS`` lists them by name."""

from typing import TYPE_CHECKING

from labelgraph._core.lazy import lazy_exports

if TYPE_CHECKING:
    from labelgraph.methods.added_labels import add_label
    from labelgraph.methods.agah import AGAH
    from labelgraph.methods.algcn import ALGCN
    from labelgraph.methods.base import Method
    from labelgraph.methods.configs import (
        AGAHConfig,
        ALGCNConfig,
        DAGNNConfig,
        DualAdversarialConfig,
        ExpectedRelevanceConfig,
        HashConfig,
        IGNNCONConfig,
        LabelGraphConfig,
        PGNNCONConfig,
    )
    from labelgraph.methods.dagnn import DAGNN, DualAdversarialMethod
    from labelgraph.methods.expected_relevance import ExpectedRelevance
    from labelgraph.methods.gnn_con import IGNNCON, PGNNCON
    from labelgraph.methods.hub_card import model_card
    from labelgraph.methods.label_graph import LabelGraphMethod
    from labelgraph.methods.label_placement import LabelPlacement
    from labelgraph.methods.registry import METHODS, build_method, load_method, method_class

__all__ = [
    "AGAH",
    "ALGCN",
    "DAGNN",
    "IGNNCON",
    "METHODS",
    "PGNNCON",
    "AGAHConfig",
    "ALGCNConfig",
    "DAGNNConfig",
    "DualAdversarialConfig",
    "DualAdversarialMethod",
    "ExpectedRelevance",
    "ExpectedRelevanceConfig",
    "HashConfig",
    "IGNNCONConfig",
    "LabelGraphConfig",
    "LabelGraphMethod",
    "LabelPlacement",
    "Method",
    "PGNNCONConfig",
    "add_label",
    "build_method",
    "load_method",
    "method_class",
    "model_card",
]

__getattr__, __dir__ = lazy_exports(__name__)
