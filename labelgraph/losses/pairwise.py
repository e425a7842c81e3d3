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
    return _likelihood(_cosines(left, right, left.norm(dim=1), right.norm(dim=1)), labels @ labels.t())


def joint_pairwise_loss(image: Tensor, text: Tensor, labels: Tensor) -> Tensor:
    r"""The sum of `pairwise_loss` within images, between images and texts, and within texts.

    Lengths and shared labels are worked out once for all three.

    Args:
        image: Embeddings, shape :math:`(B, H)`.
        text: Embeddings of the same items, shape :math:`(B, H)`.
        labels: Multi-hot, shape :math:`(B, C)`.

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> from labelgraph.losses import joint_pairwise_loss
        >>> item = torch.tensor([[1.0, 0.0]])
        >>> joint_pairwise_loss(item, item, torch.ones(1, 1))  # 3 (log(1 + e^0.5) - 0.5)
        tensor(1.4222)
    """
    shared = labels @ labels.t()
    image_length, text_length = image.norm(dim=1), text.norm(dim=1)
    cosines = (
        _cosines(image, image, image_length, image_length),
        _cosines(image, text, image_length, text_length),
        _cosines(text, text, text_length, text_length),
    )
    return torch.stack([_likelihood(cosine, shared) for cosine in cosines]).sum()


def _cosines(left: Tensor, right: Tensor, left_length: Tensor, right_length: Tensor) -> Tensor:
    return left @ right.t() / (left_length[:, None] * right_length).clamp(min=1e-6)


def _likelihood(cosines: Tensor, shared: Tensor) -> Tensor:
    theta = cosines / 2
    return torch.mean(F.softplus(theta) - shared * theta)
