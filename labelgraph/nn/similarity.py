"""How alike the items of a batch are, by both modalities."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


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
    image, text = F.normalize(image), F.normalize(text)
    by_image = 2 * image @ image.t() - 1
    by_text = 2 * (text @ text.t()).sign() - 1
    by_both = F.normalize(by_image) @ F.normalize(by_text).t()
    return scale * (image_weight * by_image + text_weight * by_text + cross_weight * by_both)
