"""Methods as thin heads over the library's parts, published ones and one of our own; ``METHODS`` holds them."""

from labelgraph.methods.agah import AGAH, AGAHConfig
from labelgraph.methods.algcn import ALGCN, ALGCNConfig
from labelgraph.methods.base import Method
from labelgraph.methods.dagnn import DAGNN, DAGNNConfig
from labelgraph.methods.dual_adversarial import DualAdversarialConfig, DualAdversarialMethod
from labelgraph.methods.gnn_con import IGNNCON, PGNNCON, IGNNCONConfig, PGNNCONConfig
from labelgraph.methods.hashing import HashConfig
from labelgraph.methods.label_graph import LabelGraphConfig, LabelGraphMethod
from labelgraph.methods.registry import METHODS, build_method, load_method, method_class, published_settings
from labelgraph.methods.relevance import ExpectedRelevance, ExpectedRelevanceConfig

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
    "Method",
    "PGNNCONConfig",
    "build_method",
    "load_method",
    "method_class",
    "published_settings",
]
