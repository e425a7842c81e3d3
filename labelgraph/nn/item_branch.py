"""Graphs over the items of a batch: their similarity, residual adjacency, and the graph branch of AGAH."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from labelgraph._core.similarity import unit_length
from labelgraph.nn.adjacency import DenseAdjacency
from labelgraph.nn.conv import LabelConv


def fused_similarity(
    image: Tensor,
    text: Tensor,
    *,
    image_weight: float = 0.5,
    text_weight: float = 0.2,
    cross_weight: float = 0.3,
    scale: float = 1.4,
) -> Tensor:
    r"""Fuse the similarities of images, of texts, and of both, without any label.

    .. math::
        S = \mu (\eta S_v + \beta S_t + \lambda \bar{S}_v \bar{S}_t^\top), \qquad
        S_v = 2 \cos(v, v) - 1, \quad S_t = 2 \, \mathrm{sign}(\cos(t, t)) - 1

    where a bar stands for rows of length 1 (AGAH, APWeb-WAIM 2023).

    Args:
        image: Image features :math:`v`, shape :math:`(B, D_v)`.
        text: Text features :math:`t`, such as bags of words, shape :math:`(B, D_t)`.
        image_weight: :math:`\eta`.
        text_weight: :math:`\beta`.
        cross_weight: :math:`\lambda`.
        scale: :math:`\mu`.

    Returns:
        Shape :math:`(B, B)`, of either sign.

    Example:
        >>> import torch
        >>> from labelgraph.nn import fused_similarity
        >>> fused_similarity(torch.eye(2), torch.eye(2))
        tensor([[ 1.4000, -1.4000],
                [-1.4000,  1.4000]])
    """
    image, text = unit_length(image), unit_length(text)
    by_image = 2 * image @ image.t() - 1
    by_text = 2 * (text @ text.t()).sign() - 1
    by_both = unit_length(by_image) @ unit_length(by_text).t()
    return scale * (image_weight * by_image + text_weight * by_text + cross_weight * by_both)


class ResidualAdjacency(DenseAdjacency):
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
        r"""Draw the residual anew, Kaiming-uniformly: within :math:`\pm \sqrt{6 / B}`, as published."""
        nn.init.kaiming_uniform_(self.weight)

    def matrix(self, x: Any = None, similarity: Tensor | None = None) -> Tensor:
        """The weights between the items of a batch, (B, B)."""
        if similarity is None:
            raise ValueError("'similarity' must be given, (B, B) (got none)")
        size = len(similarity)
        if size > len(self.weight):
            raise ValueError(f"a batch must have at most {len(self.weight)} items, 'num_items' (got {size})")
        return (similarity + self.gamma * self.weight[:size, :size]).t()


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
        if isinstance(self.adjacency, DenseAdjacency):
            edges: tuple[Tensor, ...] = (self.adjacency.matrix(features, similarity),)
        else:
            edges = self.adjacency(features, similarity)
        x = self.conv1(features, *edges).relu()
        x = self.conv2(x, *edges).relu()
        hashed: Tensor = self.linear(x)
        return hashed
