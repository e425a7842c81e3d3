"""One propagation step over a weighted, directed graph."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

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
