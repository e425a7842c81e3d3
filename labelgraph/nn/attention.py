"""The adjacency that is learned by attention between nodes, labels or items alike."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch_geometric.data import Data

from labelgraph.nn.complete_graph import complete_edges
from labelgraph.nn.feature_linear import FeatureLinear
from labelgraph.nn.norm import source_norm
from labelgraph.nn.propagation import dense_adjacency


class AttentionAdjacency(nn.Module):
    r"""Attention between all nodes, on top of a similarity whose sign is kept.

    .. math:: P_{ij} = \mathrm{softmax}_j \frac{\langle Q x_i, K x_j \rangle}{\sqrt{d}} + S_{ij}

    Node :math:`i` listens to :math:`j` by :math:`P_{ij}`; as edges, :math:`P_{ij}` weighs :math:`j \to i`.
    Over the items of a batch, :math:`S` is their similarity, given with every call: this is the adaptive
    graph attention of AGAH (APWeb-WAIM 2023), free of the batch's size. Over labels, :math:`S` is the
    source-normalised matrix of a label graph, given once.

    Args:
        in_channels: Size of the node features.
        channels: Size :math:`d` of queries and keys.
        graph: Label graph that gives :math:`S`, for instance of `BinaryAdjacency`; with none, :math:`S` is
            what is given with a call, or 0.

    Shapes:
        - **input:** features :math:`(N, F)`; similarity :math:`(N, N)`, optional.
        - **output:** edge indices :math:`(2, N^2)` and edge weights :math:`(N^2,)`, sorted by source.

    Example:
        >>> import torch
        >>> from labelgraph.nn import AttentionAdjacency
        >>> adjacency = AttentionAdjacency(4)
        >>> edge_index, edge_weight = adjacency(torch.rand(3, 4), -torch.eye(3))
        >>> edge_index.shape, edge_weight.shape
        (torch.Size([2, 9]), torch.Size([9]))
        >>> adjacency.coefficients(torch.rand(3, 4)).sum(1).allclose(torch.ones(3))  # rows are listeners
        True
    """

    static: Tensor | None

    def __init__(self, in_channels: int, channels: int = 64, graph: Data | None = None) -> None:
        super().__init__()
        self.channels = channels
        self.query = FeatureLinear(in_channels, channels, bias=False)
        self.key = FeatureLinear(in_channels, channels, bias=False)
        self.register_buffer("static", None if graph is None else _propagation(graph))

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        self.query.reset_parameters()
        self.key.reset_parameters()

    def coefficients(self, x: Tensor) -> Tensor:
        """How much each node (row) listens to each other (column), rows summing to 1, (N, N)."""
        return (self.query(x) @ self.key(x).t() / math.sqrt(self.channels)).softmax(1)

    def forward(self, x: Tensor, similarity: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Give the edges between these nodes."""
        similarity = self.static if similarity is None else similarity
        listening = self.coefficients(x)
        if similarity is not None:
            listening = listening + similarity
        return complete_edges(len(x), x.device), listening.t().flatten()


def _propagation(graph: Data) -> Tensor:
    """The matrix that multiplies the features: its entry (i, j) weighs the edge j -> i."""
    weight = source_norm(graph.edge_index, graph.edge_weight, graph.num_nodes)
    return dense_adjacency(graph.edge_index, weight, graph.num_nodes).t().contiguous()
