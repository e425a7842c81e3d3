"""The adjacency that stays as counted."""

from __future__ import annotations

from torch import Tensor, nn
from torch_geometric.data import Data

from labelgraph.nn.norm import source_norm


class StaticAdjacency(nn.Module):
    """A fixed label graph as an adjacency module.

    Args:
        graph: Label graph; its weights are taken as they are, so transform it first, for instance with
            `BinaryAdjacency`.
        normalize: Apply `source_norm`.

    Shapes:
        - **output:** edge indices :math:`(2, E)` and edge weights :math:`(E,)`.

    Example:
        >>> from labelgraph.graph import Reweight, cooccurrence_graph
        >>> from labelgraph.nn import StaticAdjacency
        >>> edge_index, edge_weight = StaticAdjacency(Reweight()(cooccurrence_graph([[1, 1, 0], [0, 0, 1]])))()
        >>> edge_index.shape, edge_weight.shape
        (torch.Size([2, 5]), torch.Size([5]))
    """

    edge_index: Tensor
    edge_weight: Tensor

    def __init__(self, graph: Data, normalize: bool = True) -> None:
        super().__init__()
        weight = graph.edge_weight
        if normalize:
            weight = source_norm(graph.edge_index, weight, graph.num_nodes)
        self.register_buffer("edge_index", graph.edge_index.clone())
        self.register_buffer("edge_weight", weight.clone())

    def forward(self, x: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Give the edges; the embeddings ``x`` do not matter here."""
        return self.edge_index, self.edge_weight
