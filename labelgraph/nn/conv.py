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
    r"""Graph convolution: a linear map, then propagation with the given edge weights.

    .. math:: X'_j = \sum_{i \to j} w_{ij} X_i W, \quad\text{that is}\quad X' = A^\top X W

    (ALGCN, doi:10.1109/TMM.2021.3101642, where :math:`A^\top` is already normalised.) The layer does not normalise
    the weights; an adjacency module or `source_norm` does. Propagation is one dense or sparse matrix product. Only
    for PyG explainers, the layer passes messages along edges.

    Args:
        in_channels: Size of each input row.
        out_channels: Size of each output row.
        bias: Add a learned bias to the output, initialised like the weight.

    Shapes:
        - **input:** features :math:`(C, F_{in})`, edge indices :math:`(2, E)`, edge weights :math:`(E,)`
          (default 1); or a matrix :math:`(C, C)` instead of indices and weights, see `propagate`.
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
        r"""Reinitialise the weight and the optional bias uniformly in :math:`\pm 1/\sqrt{F_{out}}`, as published."""
        bound = 1 / math.sqrt(self.out_channels)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """Map the features and propagate them."""
        x = feature_product(x, self.weight)
        if self.explain:
            edge_index, edge_weight = as_edges(x, edge_index, edge_weight)
            received: Tensor = self.propagate(edge_index, x=x, edge_weight=edge_weight)
        else:
            received = propagate(x, edge_index, edge_weight)
        return received if self.bias is None else received + self.bias

    def message(self, x_j: Tensor, edge_weight: Tensor) -> Tensor:
        """Return the messages of the edges."""
        return edge_weight.unsqueeze(-1) * x_j

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels})"


class LabelAttentionConv(MessagePassing):
    r"""Graph attention with one head, in which each label attends to its out-neighbours.

    .. math::
        h = X W, \qquad e_{ij} = \mathrm{LeakyReLU}_{0.2}(a^\top [h_i ; h_j]), \qquad
        X'_i = \sum_{j : A_{ij} > 0} \mathrm{softmax}_j(e_{ij}) \, h_j

    (The GAT branch of DAGNN, doi:10.1609/aaai.v35i3.16345, after Veličković et al. 2018, eq. 1 to 4,
    without the nonlinearity, which `LabelEncoder` adds.) The published method reads the matrix by rows. Messages
    therefore run against the edges: an edge :math:`i \to j` of positive weight carries a message from :math:`j` to
    :math:`i`. PyG calls this flow ``target_to_source``. The output of a label without outgoing edges of positive
    weight is 0.

    Args:
        in_channels: Size of each input row.
        out_channels: Size of each output row.
        negative_slope: Negative slope of the LeakyReLU.

    Shapes:
        - **input:** features :math:`(C, F_{in})`, edge indices :math:`(2, E)`, edge weights :math:`(E,)`
          (default 1), of which only the sign is used; or a matrix :math:`(C, C)` instead of indices and weights, see
          `propagate`.
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
        """Reinitialise both weights with Xavier's uniform initialisation and gain 1.414, as published."""
        nn.init.xavier_uniform_(self.weight, gain=1.414)
        nn.init.xavier_uniform_(self.attention, gain=1.414)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """Map the features and sum them by attention."""
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
        """Return the attention of each source to its target, (E,) or (C, C), from mapped features (C, F_out)."""
        own, other = (x @ self.attention.view(2, -1).t()).unbind(1)
        dense = is_matrix(edge_index, edge_weight, x.size(0))
        if dense:
            score, positive = own.unsqueeze(1) + other, edge_index > 0
        else:
            (source, target), weight = as_edges(x, edge_index, edge_weight)
            score, positive = own[source] + other[target], weight > 0
        # A finite mask value, since the softmax of only infinities, for a label without edges, is NaN.
        score = F.leaky_relu(score, self.negative_slope).masked_fill(~positive, torch.finfo(score.dtype).min / 2)
        return (score.softmax(1) if dense else softmax(score, source, num_nodes=x.size(0))) * positive

    def message(self, x_j: Tensor, alpha: Tensor) -> Tensor:
        """Return the messages of the edges."""
        return alpha.unsqueeze(-1) * x_j

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels})"
