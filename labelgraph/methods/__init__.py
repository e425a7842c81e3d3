"""Methods as thin heads over the library's parts; ``METHODS`` lists them."""

from labelgraph.methods.agah import AGAH, AGAHConfig
from labelgraph.methods.algcn import ALGCN, ALGCNConfig
from labelgraph.methods.base import Method
from labelgraph.methods.dagnn import DAGNN, DAGNNConfig, DualAdversarialConfig, DualAdversarialMethod
from labelgraph.methods.expected_relevance import ExpectedRelevance, ExpectedRelevanceConfig
from labelgraph.methods.gnn_con import IGNNCON, PGNNCON, IGNNCONConfig, PGNNCONConfig
from labelgraph.methods.hash_heads import HashConfig
from labelgraph.methods.label_graph import LabelGraphConfig, LabelGraphMethod
from labelgraph.methods.registry import METHODS, build_method, load_method, method_class, published_settings

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
