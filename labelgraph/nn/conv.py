"""The graph convolution of label graphs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from labelgraph.nn.feature_linear import feature_product
from labelgraph.nn.propagation import propagate


class LabelConv(MessagePassing):
    r"""Propagation after a linear map, without normalisation of its own.

    .. math:: X'_j = \sum_{i \to j} w_{ij} X_i W, \quad\text{that is}\quad X' = A^\top X W

    (ALGCN, doi:10.1109/TMM.2021.3101642, where :math:`A^\top` is already normalised.) An adjacency
    module or `source_norm` gives the weights. PyG's explainers see messages; otherwise one product is
    computed, dense or sparse.

    Args:
        in_channels: Size of each input row.
        out_channels: Size of each output row.
        bias: Add a learned bias to what arrives, drawn as the weight.

    Shapes:
        - **input:** features :math:`(C, F_{in})`, edge indices :math:`(2, E)`, edge weights :math:`(E,)`
          (by default all 1).
        - **output:** features :math:`(C, F_{out})`.

    Example:
        >>> import torch
        >>> from labelgraph.nn import LabelConv
        >>> conv = LabelConv(4, 8)
        >>> conv(torch.rand(3, 4), torch.tensor([[0, 1], [1, 2]]), torch.tensor([0.5, 1.0])).shape
        torch.Size([3, 8])
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = False) -> None:
        super().__init__(aggr="add")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.weight = nn.Parameter(torch.empty(in_channels, out_channels))
        self.register_parameter("bias", nn.Parameter(torch.empty(out_channels)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Draw the weight, and the bias if any, uniformly in :math:`\pm 1/\sqrt{F_{out}}`, as published."""
        bound = 1 / math.sqrt(self.out_channels)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """Map and propagate."""
        if edge_weight is None:
            edge_weight = self.weight.new_ones(edge_index.size(1))
        x = feature_product(x, self.weight)
        if self.explain:
            arrived: Tensor = self.propagate(edge_index, x=x, edge_weight=edge_weight)
        else:
            arrived = propagate(x, edge_index, edge_weight)
        return arrived if self.bias is None else arrived + self.bias

    def message(self, x_j: Tensor, edge_weight: Tensor) -> Tensor:
        """What one edge carries."""
        return edge_weight.unsqueeze(-1) * x_j

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels})"
