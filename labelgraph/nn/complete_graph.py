"""Edges between all pairs, for adjacencies that weigh every one."""

from __future__ import annotations

import torch
from torch import Tensor


def complete_edges(num_nodes: int, device: torch.device | str | None = None) -> Tensor:
    """Edge indices of all pairs, those of a node with itself included, sorted by source, (2, C * C).

    The weights of a matrix whose entry (i, j) weighs i -> j are then its entries row by row.

    Example:
        >>> from labelgraph.nn import complete_edges
        >>> complete_edges(2)
        tensor([[0, 0, 1, 1],
                [0, 1, 0, 1]])
    """
    node = torch.arange(num_nodes, device=device)
    return torch.stack([node.repeat_interleave(num_nodes), node.repeat(num_nodes)])
