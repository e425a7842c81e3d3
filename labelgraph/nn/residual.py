"""The adjacency of a batch's items with a residual learned for each place in the batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from labelgraph.nn.complete_graph import complete_edges


class ResidualAdjacency(nn.Module):
    r"""The similarity of the items plus a learned residual, :math:`P = S + \gamma W`.

    (AGAH, APWeb-WAIM 2023.) :math:`W` belongs to places in the batch, not to items, and so ties the model
    to a batch size; `AttentionAdjacency` does not. A smaller batch takes the upper left part of it.

    Args:
        num_items: Largest batch size.
        gamma: Weight of the residual.

    Shapes:
        - **input:** features, which do not matter here, and similarity :math:`(B, B)`.
        - **output:** edge indices :math:`(2, B^2)` and edge weights :math:`(B^2,)`, sorted by source;
          :math:`P_{ij}` weighs :math:`j \to i`.

    Raises:
        ValueError: If a batch is larger than ``num_items``.

    Example:
        >>> import torch
        >>> from labelgraph.nn import ResidualAdjacency
        >>> edge_index, edge_weight = ResidualAdjacency(8)(torch.rand(3, 4), torch.eye(3))
        >>> edge_index.shape, edge_weight.shape
        (torch.Size([2, 9]), torch.Size([9]))
    """

    def __init__(self, num_items: int, gamma: float = 0.45) -> None:
        super().__init__()
        self.gamma = gamma
        self.weight = nn.Parameter(torch.empty(num_items, num_items))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the residual anew, Kaiming-uniformly."""
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: Tensor, similarity: Tensor) -> tuple[Tensor, Tensor]:
        """Give the edges between the items of a batch."""
        size = len(similarity)
        if size > len(self.weight):
            raise ValueError(f"a batch must have at most {len(self.weight)} items, 'num_items' (got {size})")
        listening = similarity + self.gamma * self.weight[:size, :size]
        return complete_edges(size, similarity.device), listening.t().flatten()
