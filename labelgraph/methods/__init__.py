"""Published methods as thin heads over the library's parts; ``METHODS`` holds them by name."""

from labelgraph.methods.algcn import ALGCN, ALGCNConfig
from labelgraph.methods.base import Method
from labelgraph.methods.registry import METHODS, build_method, load_method, method_class

__all__ = ["ALGCN", "METHODS", "ALGCNConfig", "Method", "build_method", "load_method", "method_class"]
