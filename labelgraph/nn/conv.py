"""Convolution and attention layers over label graphs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import softmax

from labelgraph.nn.projector import feature_product
from labelgraph.nn.propagation import as_edges, is_matrix, propagate


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
          (by default all 1); or in place of both a matrix :math:`(C, C)`, as `propagate` takes it.
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
        x = feature_product(x, self.weight)
        if self.explain:
            edge_index, edge_weight = as_edges(x, edge_index, edge_weight)
            arrived: Tensor = self.propagate(edge_index, x=x, edge_weight=edge_weight)
        else:
            arrived = propagate(x, edge_index, edge_weight)
        return arrived if self.bias is None else arrived + self.bias

    def message(self, x_j: Tensor, edge_weight: Tensor) -> Tensor:
        """What one edge carries."""
        return edge_weight.unsqueeze(-1) * x_j

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels})"


class LabelAttentionConv(MessagePassing):
    r"""One head of graph attention, in which a label listens to those that its own edges lead to.

    .. math::
        h = X W, \qquad e_{ij} = \mathrm{LeakyReLU}_{0.2}(a^\top [h_i ; h_j]), \qquad
        X'_i = \sum_{j : A_{ij} > 0} \mathrm{softmax}_j(e_{ij}) \, h_j

    (The GAT branch of DAGNN, doi:10.1609/aaai.v35i3.16345, after Veličković et al. 2018, eq. 1 to 4,
    without the nonlinearity, which `LabelEncoder` adds.) The published matrix is read by rows, so messages
    run against the edges, :math:`j \to i` for an edge :math:`i \to j` of positive weight; in PyG's words
    the flow is ``target_to_source``. A label without such an edge receives 0.

    Args:
        in_channels: Size of each input row.
        out_channels: Size of each output row.
        negative_slope: Of the LeakyReLU.

    Shapes:
        - **input:** features :math:`(C, F_{in})`, edge indices :math:`(2, E)`, edge weights :math:`(E,)`
          (by default all 1), of which the sign alone matters; or in place of both a matrix :math:`(C, C)`, as
          `propagate` takes it.
        - **output:** features :math:`(C, F_{out})`.

    Example:
        >>> import torch
        >>> from labelgraph.nn import LabelAttentionConv
        >>> conv = LabelAttentionConv(4, 8)
        >>> conv(torch.rand(3, 4), torch.tensor([[0, 1, 2], [1, 2, 2]])).shape
        torch.Size([3, 8])
    """

    def __init__(self, in_channels: int, out_channels: int, negative_slope: float = 0.2) -> None:
        super().__init__(aggr="add", flow="target_to_source")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.negative_slope = negative_slope
        self.weight = nn.Parameter(torch.empty(in_channels, out_channels))
        self.attention = nn.Parameter(torch.empty(2 * out_channels, 1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw both weights Xavier-uniformly with gain 1.414, as published."""
        nn.init.xavier_uniform_(self.weight, gain=1.414)
        nn.init.xavier_uniform_(self.attention, gain=1.414)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """Map, attend and sum."""
        x = x @ self.weight
        if not self.explain and is_matrix(edge_index, edge_weight, x.size(0)):
            return propagate(x, self.coefficients(x, edge_index).t())
        edge_index, edge_weight = as_edges(x, edge_index, edge_weight)
        alpha = self.coefficients(x, edge_index, edge_weight)
        if self.explain:
            explained: Tensor = self.propagate(edge_index, x=x, alpha=alpha)
            return explained
        return propagate(x, edge_index.flip(0), alpha)

    def coefficients(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """How much the source of each edge listens to its target, (E,) or (C, C), from mapped features (C, F_out)."""
        own, other = (x @ self.attention.view(2, -1).t()).unbind(1)
        dense = is_matrix(edge_index, edge_weight, x.size(0))
        if dense:
            score, there = own.unsqueeze(1) + other, edge_index > 0
        else:
            (listener, speaker), weight = as_edges(x, edge_index, edge_weight)
            score, there = own[listener] + other[speaker], weight > 0
        # Not infinity: where a label has no edge, the softmax of nothing but infinities is NaN.
        score = F.leaky_relu(score, self.negative_slope).masked_fill(~there, torch.finfo(score.dtype).min / 2)
        return (score.softmax(1) if dense else softmax(score, listener, num_nodes=x.size(0))) * there

    def message(self, x_j: Tensor, alpha: Tensor) -> Tensor:
        """What one edge carries."""
        return alpha.unsqueeze(-1) * x_j

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels})"
