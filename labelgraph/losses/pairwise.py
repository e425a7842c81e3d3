"""Agreement of embeddings with shared labels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def pairwise_loss(left: Tensor, right: Tensor, labels: Tensor) -> Tensor:
    r"""Negative log-likelihood that pairs are alike, weighted by how many labels they share.

    .. math::
        \frac{1}{B^2} \sum_{ab} \log(1 + e^{\Theta_{ab}}) - S_{ab} \Theta_{ab}, \qquad
        \Theta = \tfrac{1}{2} \cos(l_a, r_b), \quad S = Y Y^\top

    (ALGCN, doi:10.1109/TMM.2021.3101642.)

    Args:
        left: :math:`l`, embeddings of one modality, shape :math:`(B, H)`.
        right: :math:`r`, embeddings of the same items, of the same or the other modality, shape
            :math:`(B, H)`.
        labels: :math:`Y`, multi-hot, shape :math:`(B, C)`.

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> from labelgraph.losses import pairwise_loss
        >>> item = torch.tensor([[1.0, 0.0]])
        >>> pairwise_loss(item, item, torch.ones(1, 1))  # log(1 + e^0.5) - 0.5
        tensor(0.4741)
    """
    lengths = left.norm(dim=1, keepdim=True) * right.norm(dim=1)
    theta = left @ right.t() / lengths.clamp(min=1e-6) / 2
    return torch.mean(F.softplus(theta) - labels @ labels.t() * theta)
