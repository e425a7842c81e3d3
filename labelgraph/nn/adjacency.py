"""The adjacencies of labels by name."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch_geometric.data import Data

from labelgraph.nn.adaptive import AdaptiveAdjacency
from labelgraph.nn.attention import AttentionAdjacency
from labelgraph.nn.metric import MetricAdjacency
from labelgraph.nn.static import StaticAdjacency

ADJACENCIES = ("static", "adaptive", "metric", "attention")


def label_adjacency(
    kind: str, graph: Data, x: Tensor, *, gamma: float = 0.5, num_heads: int = 8, threshold: float = 0.4
) -> nn.Module:
    """Build an adjacency over labels; all kinds can stand in for each other in a `LabelBranch`.

    Args:
        kind: ``"static"``, ``"adaptive"``, ``"metric"`` or ``"attention"``.
        graph: Label graph for all but ``metric``, for instance of `BinaryAdjacency`.
        x: Initial label embeddings, shape (C, F), for ``metric`` and ``attention``.
        gamma: Weight of the learned residual of ``adaptive``.
        num_heads: Of ``metric``.
        threshold: Least cosine that ``metric`` keeps.

    Raises:
        ValueError: If the kind is unknown.

    Example:
        >>> import torch
        >>> from labelgraph.graph import BinaryAdjacency, cooccurrence_graph
        >>> from labelgraph.nn import label_adjacency
        >>> graph = BinaryAdjacency()(cooccurrence_graph([[1, 1, 0], [0, 0, 1]]))
        >>> label_adjacency("attention", graph, torch.eye(3))
        AttentionAdjacency(
          (query): FeatureLinear(in_features=3, out_features=64, bias=False)
          (key): FeatureLinear(in_features=3, out_features=64, bias=False)
        )
    """
    kinds: dict[str, Callable[[], nn.Module]] = {
        "static": lambda: StaticAdjacency(graph),
        "adaptive": lambda: AdaptiveAdjacency(graph, gamma),
        "metric": lambda: MetricAdjacency(x, num_heads, threshold),
        "attention": lambda: AttentionAdjacency(x.size(1), graph=graph),
    }
    if kind not in kinds:
        raise ValueError(f"'adjacency' must be one of {', '.join(ADJACENCIES)} (got {kind!r})")
    return kinds[kind]()
