"""The graph side of hashing: items of a batch that learn from their neighbours."""

from __future__ import annotations

from torch import Tensor, nn

from labelgraph.nn.conv import LabelConv


class ItemBranch(nn.Module):
    r"""Two graph convolutions over the items of a batch, then a number for every bit.

    .. math:: h = W_3 \, \mathrm{ReLU}(P \, \mathrm{ReLU}(P V W_1 + b_1) W_2 + b_2) + b_3

    with :math:`P` of the adjacency, of either sign and not normalised (AGAH, APWeb-WAIM 2023). It serves
    training alone: a single item has no neighbours to ask.

    Args:
        adjacency: Gives ``(edge_index, edge_weight)`` from features and similarity, for instance
            `AttentionAdjacency` or `ResidualAdjacency`.
        in_channels: Size of the features.
        hidden_channels: Widths of the two convolutions; published 2048 and 1024.
        bits: Length of the code.

    Shapes:
        - **input:** features :math:`(B, D)` and similarity :math:`(B, B)`.
        - **output:** :math:`(B, \text{bits})`, before the sign.

    Example:
        >>> import torch
        >>> from labelgraph.nn import AttentionAdjacency, ItemBranch
        >>> branch = ItemBranch(AttentionAdjacency(6), 6, (12, 8), 16)
        >>> branch(torch.rand(3, 6), torch.eye(3)).shape
        torch.Size([3, 16])
    """

    def __init__(self, adjacency: nn.Module, in_channels: int, hidden_channels: tuple[int, int], bits: int) -> None:
        super().__init__()
        wide, narrow = hidden_channels
        self.adjacency = adjacency
        self.conv1 = LabelConv(in_channels, wide, bias=True)
        self.conv2 = LabelConv(wide, narrow, bias=True)
        self.linear = nn.Linear(narrow, bits)

    def forward(self, features: Tensor, similarity: Tensor) -> Tensor:
        """Map the items of a batch together."""
        edges = self.adjacency(features, similarity)
        x = self.conv1(features, *edges).relu()
        x = self.conv2(x, *edges).relu()
        hashed: Tensor = self.linear(x)
        return hashed
