"""Propagation over label graphs: normalisation of weights, and products of features with edges or matrices."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from labelgraph._core.checks import new_csr
from labelgraph.graph.edges import check_edges

DENSE_NODES = 256
DENSE_SHARE = 0.1
EDGE_BLOCK = 2**13
# Read once, because PyTorch 2.4 cannot compile `is_autocast_available`.
AUTOCAST = tuple(name for name in ("cpu", "cuda", "mps", "xpu") if torch.amp.is_autocast_available(name))


def source_norm(edge_index: Tensor, edge_weight: Tensor, num_nodes: int) -> Tensor:
    r"""Normalise edge weights by the out-degrees of source and target.

    .. math:: \hat{A} = D^{-1/2} A^\top D^{-1/2}, \qquad d_i = \sum_j A_{ij}

    (ALGCN, doi:10.1109/TMM.2021.3101642, and DAGNN, doi:10.1609/aaai.v35i3.16345.) PyG's ``gcn_norm``
    uses the in-degree, which differs on directed graphs. A label whose degree is not positive has the factor 0, so
    that all results are finite.

    Args:
        edge_index: Edges :math:`i \to j`, shape :math:`(2, E)`.
        edge_weight: Edge weights :math:`A_{ij}`, shape :math:`(E,)`.
        num_nodes: Number of nodes :math:`C`.

    Returns:
        Normalised weight :math:`\hat{A}_{ji}` of each edge :math:`i \to j`, shape :math:`(E,)`.

    Raises:
        IndexError: If an edge refers to a node that does not exist.

    Example:
        >>> import torch
        >>> from labelgraph.nn import source_norm
        >>> source_norm(torch.tensor([[0, 0, 1], [0, 1, 1]]), torch.tensor([1.0, 3.0, 1.0]), 2)
        tensor([0.2500, 1.5000, 1.0000])
    """
    source, target = check_edges(edge_index, num_nodes, edge_weight)
    scale = _scale(edge_weight.new_zeros(num_nodes).index_add(0, source, edge_weight))
    return edge_weight * scale[source] * scale[target]


def source_norm_matrix(matrix: Tensor) -> Tensor:
    r"""Normalise a dense matrix like `source_norm`; the entry (i, j) of the edge i -> j becomes :math:`\hat{A}_{ji}`.

    Example:
        >>> import torch
        >>> from labelgraph.nn import source_norm_matrix
        >>> source_norm_matrix(torch.tensor([[1.0, 3.0], [0.0, 1.0]]))
        tensor([[0.2500, 1.5000],
                [0.0000, 1.0000]])
    """
    scale = _scale(matrix.sum(1))
    return matrix * scale.unsqueeze(1) * scale


def _scale(degree: Tensor) -> Tensor:
    positive = degree > 0
    # The inner `where` makes the gradient of the unused branch finite.
    return torch.where(positive, torch.where(positive, degree, 1.0).rsqrt(), 0.0)


def propagate(x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
    r"""Propagate node features along the edges and sum the incoming features of each node.

    .. math:: y_j = \sum_{i \to j} w_{ij} x_i

    Small or dense graphs use a dense matrix product, other graphs a sparse product. Neither product stores messages of
    size E x F. Both products have gradients of any order with respect to ``x`` and ``edge_weight``, follow autocast,
    and support ``torch.compile``, ``torch.export`` and ``torch.vmap``.

    Args:
        x: Node features, shape :math:`(C, F)`.
        edge_index: Edges :math:`i \to j`, shape :math:`(2, E)`, whole numbers; the weights of parallel edges add up.
            Or a floating-point matrix, shape :math:`(C, C)`, whose entry (i, j) is the weight of :math:`i \to j`.
        edge_weight: Edge weights :math:`w_{ij}`, positive or negative, shape :math:`(E,)`; defaults to 1. None if
            ``edge_index`` is a matrix.

    Returns:
        Propagated features, shape :math:`(C, F)`, in the wider of the two precisions.

    Raises:
        IndexError: If an edge refers to a node that does not exist.
        ValueError: If shapes differ or indices are not whole numbers.

    Example:
        >>> import torch
        >>> from labelgraph.nn import propagate
        >>> x = torch.tensor([[1.0], [5.0]])
        >>> propagate(x, torch.tensor([[0], [1]]), torch.tensor([2.0]))
        tensor([[0.],
                [2.]])
        >>> propagate(x, torch.tensor([[0.0, 2.0], [0.0, 0.0]]))
        tensor([[0.],
                [2.]])
    """
    num_nodes = x.size(0)
    if is_matrix(edge_index, edge_weight, num_nodes):
        weight, x = _one_precision(edge_index, x)
        return weight.t() @ x
    edge_index = check_edges(edge_index, num_nodes, edge_weight)
    weight = x.new_ones(edge_index.size(1)) if edge_weight is None else edge_weight
    weight, x = _one_precision(weight, x)
    if num_nodes <= DENSE_NODES or weight.numel() >= DENSE_SHARE * num_nodes**2:
        return _write(edge_index, weight, num_nodes).t() @ x
    if torch.compiler.is_compiling():  # The compiler fuses these steps, but cannot compile the sparse product.
        return torch.zeros_like(x).index_add(0, edge_index[1], weight.unsqueeze(1) * x[edge_index[0]])
    product: Tensor = _SparseProduct.apply(weight, x, edge_index)
    return product


def is_matrix(edges: Any, edge_weight: Tensor | None, num_nodes: int) -> bool:
    """Return whether edges are a dense matrix rather than indices.

    Raises:
        ValueError: If the edges are floating-point numbers without being a matrix over the nodes, or if edge weights
            are passed in addition to a matrix.
    """
    if not isinstance(edges, Tensor) or not edges.is_floating_point():
        return False
    if edges.shape != (num_nodes, num_nodes) or edge_weight is not None:
        raise ValueError(
            f"'edge_index' must be whole numbers (2, E), or, without weights, a matrix ({num_nodes}, {num_nodes}) "
            f"(got {edges.dtype}, {tuple(edges.shape)}, {'no ' if edge_weight is None else ''}weights)"
        )
    return True


def _one_precision(weight: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Cast both tensors to the wider precision, or to the precision of autocast, as for a dense product."""
    device = x.device.type
    autocast = device in AUTOCAST and torch.is_autocast_enabled(device)
    dtype = torch.get_autocast_dtype(device) if autocast else torch.promote_types(weight.dtype, x.dtype)
    return weight.to(dtype), x.to(dtype)


def complete_edges(num_nodes: int, device: torch.device | str | None = None) -> Tensor:
    """Return edge indices of all pairs of nodes, including self-loops, sorted by source, (2, C * C).

    For a matrix whose entry (i, j) is the weight of i -> j, the edge weights are the entries row by row.

    Example:
        >>> from labelgraph.nn import complete_edges
        >>> complete_edges(2)
        tensor([[0, 0, 1, 1],
                [0, 1, 0, 1]])
    """
    node = torch.arange(num_nodes, device=device)
    return torch.stack([node.repeat_interleave(num_nodes), node.repeat(num_nodes)])


def as_edges(x: Tensor, edge_index: Tensor, edge_weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return checked edge indices and weights of the edges or of the matrix that `propagate` accepts."""
    if is_matrix(edge_index, edge_weight, x.size(0)):
        return complete_edges(x.size(0), x.device), edge_index.flatten()
    edge_index = check_edges(edge_index, x.size(0), edge_weight)
    return edge_index, x.new_ones(edge_index.size(1)) if edge_weight is None else edge_weight


def dense_adjacency(edge_index: Tensor, edge_weight: Tensor, num_nodes: int) -> Tensor:
    """Convert edges to a matrix whose entry (i, j) is the weight of the edge i -> j, shape (C, C).

    Raises:
        IndexError: If an edge refers to a node that does not exist.
    """
    return _write(check_edges(edge_index, num_nodes, edge_weight), edge_weight, num_nodes)


def _write(edge_index: Tensor, edge_weight: Tensor, num_nodes: int) -> Tensor:
    flat = edge_index[0] * num_nodes + edge_index[1]
    return edge_weight.new_zeros(num_nodes * num_nodes).index_add(0, flat, edge_weight).view(num_nodes, num_nodes)


def _product(rows: Tensor, columns: Tensor, values: Tensor, x: Tensor) -> Tensor:
    """Multiply the sparse matrix with the given entries by a dense matrix."""
    if x.dtype in (torch.float16, torch.bfloat16):  # Few sparse products support half precision.
        return _product(rows, columns, values.float(), x.float()).to(x.dtype)
    size = x.size(0)
    order = rows.argsort()
    count = torch.bincount(rows, minlength=size)
    start = torch.cat([count.new_zeros(1), count.cumsum(0)])
    matrix = new_csr(start, columns[order], values[order], (size, size))
    # The reducing form needs one matrix less in memory, but exists only on a CPU.
    return torch.sparse.mm(matrix, x, "sum") if x.device.type == "cpu" else matrix @ x


class _Bilinear(torch.autograd.Function):
    """Base of functions that are linear in the first and in the second argument; the third is the edge indices."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @classmethod
    def _forward_derivative(cls, ctx: Any, left: Tensor | None, right: Tensor | None) -> Tensor:
        first, second, edge_index = ctx.saved_tensors
        parts = [cls.apply(left, second, edge_index)] if left is not None else []
        parts += [cls.apply(first, right, edge_index)] if right is not None else []
        return torch.stack(parts).sum(0)


class _SparseProduct(_Bilinear):
    """Sparse product with gradients of both factors; the gradient of torch would be a dense C x C matrix."""

    @staticmethod
    def forward(edge_weight: Tensor, x: Tensor, edge_index: Tensor) -> Tensor:
        return _product(edge_index[1], edge_index[0], edge_weight, x.contiguous())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        (gradient,), (edge_weight, x, edge_index) = gradients, ctx.saved_tensors
        to_weight = _EdgeProducts.apply(x, gradient, edge_index) if ctx.needs_input_grad[0] else None
        to_x = _SparseProduct.apply(edge_weight, gradient, edge_index.flip(0)) if ctx.needs_input_grad[1] else None
        return to_weight, to_x, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        return _SparseProduct._forward_derivative(ctx, tangents[0], tangents[1])

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Tensor) -> tuple[Tensor, int]:
        edge_weight, x, edge_index = _copies(info, in_dims, inputs, 1)
        out = _SparseProduct.apply(edge_weight.flatten(), x.flatten(0, 1), edge_index)
        return out.view_as(x), 0


class _EdgeProducts(_Bilinear):
    """Inner product of the source row of one matrix and the target row of another, for each edge."""

    @staticmethod
    def forward(x: Tensor, y: Tensor, edge_index: Tensor) -> Tensor:
        out = x.new_empty(edge_index.size(1))
        for block, i, j in zip(*(part.split(EDGE_BLOCK) for part in (out, *edge_index)), strict=True):
            torch.sum(x[i].mul_(y[j]), 1, out=block)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        (gradient,), (x, y, edge_index) = gradients, ctx.saved_tensors
        to_x = _SparseProduct.apply(gradient, y, edge_index.flip(0)) if ctx.needs_input_grad[0] else None
        to_y = _SparseProduct.apply(gradient, x, edge_index) if ctx.needs_input_grad[1] else None
        return to_x, to_y, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        return _EdgeProducts._forward_derivative(ctx, tangents[0], tangents[1])

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Tensor) -> tuple[Tensor, int]:
        x, y, edge_index = _copies(info, in_dims, inputs, 0)
        out = _EdgeProducts.apply(x.flatten(0, 1), y.flatten(0, 1), edge_index)
        return out.view(info.batch_size, -1), 0


def _copies(
    info: Any, in_dims: tuple[int | None, ...], inputs: tuple[Tensor, ...], of_nodes: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Turn a call under vmap into one call over disjoint copies of the graph, one for each element of the batch."""
    first, second, edge_index = (
        value.expand(info.batch_size, *value.shape) if dim is None else value.movedim(dim, 0)
        for value, dim in zip(inputs, in_dims, strict=True)
    )
    num_nodes = (first, second)[of_nodes].size(1)
    offset = num_nodes * torch.arange(info.batch_size, device=edge_index.device).view(-1, 1, 1)
    return first, second, (edge_index + offset).transpose(0, 1).flatten(1)
