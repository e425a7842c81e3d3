"""Keeping a learned adjacency near the counted one."""

from __future__ import annotations

import torch
from torch import Tensor


def structure_loss(propagation: Tensor, static: Tensor, draws: Tensor) -> Tensor:
    r"""Distance of the propagation matrix from the static matrix with random edges added.

    .. math:: \sum_l \mathrm{MSE}(\hat{A}, \min(A + E_l, 0.5))

    (ALGCN, doi:10.1109/TMM.2021.3101642, one term a graph layer.) `draw_negatives` draws :math:`E`.

    Args:
        propagation: :math:`\hat{A}`, the matrix that multiplies the features, whose entry (j, i) weighs
            the edge i -> j, shape :math:`(C, C)`.
        static: :math:`A`, whose entry (i, j) weighs the edge i -> j, shape :math:`(C, C)`.
        draws: :math:`E_l`, 0 or 1, shape :math:`(L, C, C)`.

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> from labelgraph.losses import structure_loss
        >>> structure_loss(torch.zeros(2, 2), torch.eye(2), torch.zeros(1, 2, 2))
        tensor(0.1250)
    """
    target = (static + draws).clamp(max=0.5)
    return (propagation - target).square().sum() / static.numel()


def draw_negatives(num_layers: int, num_labels: int, rate: float, like: Tensor) -> Tensor:
    """Draw the random edges of `structure_loss`, Bernoulli(``rate``) per layer and pair, (L, C, C)."""
    return torch.empty(num_layers, num_labels, num_labels, dtype=like.dtype, device=like.device).bernoulli_(rate)
