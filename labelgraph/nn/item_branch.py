"""Graphs over the items of a batch: item similarity, residual adjacency, and the graph branch of AGAH."""

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
    r"""Fuse the similarity of images, the similarity of texts, and the product of both, without labels.

    .. math::
        S = \mu (\eta S_v + \beta S_t + \lambda \bar{S}_v \bar{S}_t^\top), \qquad
        S_v = 2 \cos(v, v) - 1, \quad S_t = 2 \, \mathrm{sign}(\cos(t, t)) - 1

    where a bar denotes normalisation of the rows to length 1 (AGAH, APWeb-WAIM 2023).

    Args:
        image: Image features :math:`v`, shape :math:`(B, D_v)`.
        text: Text features :math:`t`, such as bags of words, shape :math:`(B, D_t)`.
        image_weight: Weight :math:`\eta` of the image similarity.
        text_weight: Weight :math:`\beta` of the text similarity.
        cross_weight: Weight :math:`\lambda` of the product.
        scale: Scale :math:`\mu`.

    Returns:
        Similarity, positive or negative, shape :math:`(B, B)`.

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
    r"""Adjacency of the item similarity plus a learned residual, :math:`P = S + \gamma W`.

    (AGAH, APWeb-WAIM 2023.) The entries of :math:`W` belong to positions in the batch, not to items, so the model
    depends on the batch size. `AttentionAdjacency` is independent of the batch size. A smaller batch uses the upper
    left part of :math:`W`.

    Args:
        num_items: Largest batch size.
        gamma: Weight :math:`\gamma` of the residual.

    Shapes:
        - **input:** features, which are ignored, and similarity :math:`(B, B)`.
        - **output:** edge indices :math:`(2, B^2)` and edge weights :math:`(B^2,)`, sorted by source;
          :math:`P_{ij}` is the weight of the edge :math:`j \to i`.

    Raises:
        ValueError: If the similarity is missing, or a batch is larger than ``num_items``.

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
        r"""Reinitialise the residual by Kaiming's uniform initialisation in :math:`\pm \sqrt{6 / B}`, as published."""
        nn.init.kaiming_uniform_(self.weight)

    def matrix(self, x: Any = None, similarity: Tensor | None = None) -> Tensor:
        """Return the weight matrix between the items of a batch, shape (B, B)."""
        if similarity is None:
            raise ValueError("'similarity' must be a matrix of shape (B, B) (got none)")
        size = len(similarity)
        if size > len(self.weight):
            raise ValueError(f"a batch must have at most {len(self.weight)} items, 'num_items' (got {size})")
        return (similarity + self.gamma * self.weight[:size, :size]).t()


class ItemBranch(nn.Module):
    r"""Graph branch of AGAH: two graph convolutions over the items of a batch, then one output for every bit.

    .. math:: h = W_3 \, \mathrm{ReLU}(P \, \mathrm{ReLU}(P V W_1 + b_1) W_2 + b_2) + b_3

    The adjacency computes :math:`P`, which is signed and not normalised (AGAH, APWeb-WAIM 2023). The branch is used
    only in training, because a single query item has no neighbours.

    Args:
        adjacency: Module that maps features and similarity to ``(edge_index, edge_weight)``, for instance
            `AttentionAdjacency` or `ResidualAdjacency`.
        in_channels: Size of the features.
        hidden_channels: Widths of the two convolutions; the published widths are 2048 and 1024.
        bits: Length of the codes in bits.

    Shapes:
        - **input:** features :math:`(B, D)` and similarity :math:`(B, B)`.
        - **output:** real-valued codes :math:`(B, \text{bits})`, before the sign.

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
        """Compute the real-valued codes of all items of a batch together."""
        if isinstance(self.adjacency, DenseAdjacency):
            edges: tuple[Tensor, ...] = (self.adjacency.matrix(features, similarity),)
        else:
            edges = self.adjacency(features, similarity)
        x = self.conv1(features, *edges).relu()
        x = self.conv2(x, *edges).relu()
        hashed: Tensor = self.linear(x)
        return hashed
