"""Codes that are as alike as the items."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def similarity_loss(left: Tensor, right: Tensor, similarity: Tensor) -> Tensor:
    r"""Mean squared distance of the cosines between codes from a given similarity.

    .. math:: \frac{1}{B^2} \sum_{ab} (\cos(l_a, r_b) - S_{ab})^2

    (AGAH, APWeb-WAIM 2023.)

    Args:
        left: :math:`l`, relaxed codes of one modality or branch, shape :math:`(B, \text{bits})`.
        right: :math:`r`, of the same items, shape :math:`(B, \text{bits})`.
        similarity: :math:`S`, shape :math:`(B, B)`, for instance of `fused_similarity`.

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> from labelgraph.losses import similarity_loss
        >>> codes = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
        >>> similarity_loss(codes, codes, torch.zeros(2, 2)).round(decimals=4)
        tensor(0.5000)
    """
    return F.mse_loss(F.normalize(left) @ F.normalize(right).t(), similarity)
