"""Propagation over label graphs: normalisation, sparse and dense products, convolution and attention layers."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import softmax

from labelgraph.nn.projector import feature_product


def source_norm(edge_index: Tensor, edge_weight: Tensor, num_nodes: int) -> Tensor:
    r"""Normalise edge weights by the outgoing degree of both ends.

    .. math:: \hat{A} = D^{-1/2} A^\top D^{-1/2}, \qquad d_i = \sum_j A_{ij}

    (ALGCN, doi:10.1109/TMM.2021.3101642, and DAGNN, doi:10.1609/aaai.v35i3.16345.) PyG's ``gcn_norm``
    takes the incoming degree, which differs on directed graphs. A label whose degree is not positive
    gets the factor 0, so that nothing becomes infinite.

    Args:
        edge_index: Edges :math:`i \to j`, shape :math:`(2, E)`.
        edge_weight: :math:`A_{ij}`, shape :math:`(E,)`.
        num_nodes: :math:`C`.

    Returns:
        :math:`\hat{A}_{ji}` of each edge :math:`i \to j`, shape :math:`(E,)`.

    Example:
        >>> import torch
        >>> from labelgraph.nn import source_norm
        >>> source_norm(torch.tensor([[0, 0, 1], [0, 1, 1]]), torch.tensor([1.0, 3.0, 1.0]), 2)
        tensor([0.2500, 1.5000, 1.0000])
    """
    source, target = edge_index
    degree = edge_weight.new_zeros(num_nodes).index_add(0, source, edge_weight)
    positive = degree > 0
    # The inner `where` keeps the gradient of the unused branch finite.
    scale = torch.where(positive, torch.where(positive, degree, 1.0).rsqrt(), 0.0)
    return edge_weight * scale[source] * scale[target]


DENSE_NODES = 256
DENSE_SHARE = 0.1
EDGE_BLOCK = 2**13

# torch says so of every CSR tensor; of the product that is used here it means nothing.
warnings.filterwarnings("ignore", ".*Sparse CSR tensor support is in beta.*")


def propagate(x: Tensor, edge_index: Tensor, edge_weight: Tensor) -> Tensor:
    r"""Send every node's features along its edges and sum them where they arrive.

    .. math:: y_j = \sum_{i \to j} w_{ij} x_i

    Small or dense graphs are multiplied dense, others by one sparse product; never are there messages
    of size E x F in memory. Both ways give gradients to ``x`` and ``edge_weight``.

    Args:
        x: Node features, shape :math:`(C, F)`.
        edge_index: Edges :math:`i \to j`, shape :math:`(2, E)`; parallel edges add up.
        edge_weight: :math:`w_{ij}`, of either sign, shape :math:`(E,)`.

    Returns:
        Shape :math:`(C, F)`.

    Example:
        >>> import torch
        >>> from labelgraph.nn import propagate
        >>> propagate(torch.tensor([[1.0], [5.0]]), torch.tensor([[0], [1]]), torch.tensor([2.0]))
        tensor([[0.],
                [2.]])
    """
    num_nodes = x.size(0)
    if num_nodes <= DENSE_NODES or edge_weight.numel() >= DENSE_SHARE * num_nodes**2:
        return dense_adjacency(edge_index, edge_weight, num_nodes).t() @ x
    product: Tensor = _SparseProduct.apply(edge_weight, x, edge_index)
    return product


def dense_adjacency(edge_index: Tensor, edge_weight: Tensor, num_nodes: int) -> Tensor:
    """Write edges as a matrix whose entry (i, j) is the weight of the edge i -> j, shape (C, C)."""
    flat = edge_index[0] * num_nodes + edge_index[1]
    return edge_weight.new_zeros(num_nodes * num_nodes).index_add(0, flat, edge_weight).view(num_nodes, num_nodes)


def _product(rows: Tensor, columns: Tensor, values: Tensor, x: Tensor) -> Tensor:
    """The sparse matrix of some entries, times a dense one."""
    size = x.size(0)
    order = rows.argsort()
    count = torch.bincount(rows, minlength=size)
    start = torch.cat([count.new_zeros(1), count.cumsum(0)])
    entries = start, columns[order], values[order]
    matrix = torch.sparse_csr_tensor(*entries, (size, size), check_invariants=False)
    # On a CPU the reducing form holds one matrix less; elsewhere there is none.
    return torch.sparse.mm(matrix, x, "sum") if x.device.type == "cpu" else matrix @ x


class _SparseProduct(torch.autograd.Function):
    """The sparse product with gradients for both factors; torch's own would fill a dense C x C gradient."""

    @staticmethod
    def forward(ctx: Any, edge_weight: Tensor, x: Tensor, edge_index: Tensor) -> Tensor:
        ctx.save_for_backward(edge_weight, x, edge_index)
        return _product(edge_index[1], edge_index[0], edge_weight, x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        edge_weight, x, edge_index = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        source, target = edge_index
        to_weight = to_x = None
        if ctx.needs_input_grad[0]:
            to_weight = torch.empty_like(edge_weight)
            blocks = (part.split(EDGE_BLOCK) for part in (to_weight, source, target))
            for block, i, j in zip(*blocks, strict=True):
                torch.sum(x[i].mul_(gradient[j]), 1, out=block)
        if ctx.needs_input_grad[1]:
            to_x = _product(source, target, edge_weight, gradient)
        return to_weight, to_x, None


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
          (by default all 1), of which the sign alone matters.
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
        alpha = self.coefficients(x, edge_index, edge_weight)
        if self.explain:
            explained: Tensor = self.propagate(edge_index, x=x, alpha=alpha)
            return explained
        return propagate(x, edge_index.flip(0), alpha)

    def coefficients(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """How much the source of each edge listens to its target, (E,), from mapped features (C, F_out)."""
        own, other = (x @ self.attention.view(2, -1).t()).unbind(1)
        listener, speaker = edge_index
        score = F.leaky_relu(own[listener] + other[speaker], self.negative_slope)
        if edge_weight is None:
            return softmax(score, listener, num_nodes=x.size(0))
        there = edge_weight > 0
        # Not infinity: where a label has no edge, the softmax of nothing but infinities is NaN.
        score = score.masked_fill(~there, torch.finfo(score.dtype).min / 2)
        return softmax(score, listener, num_nodes=x.size(0)) * there

    def message(self, x_j: Tensor, alpha: Tensor) -> Tensor:
        """What one edge carries."""
        return alpha.unsqueeze(-1) * x_j

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels})"
