"""Contrast of items that share labels with items that do not."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# The published denominator sharpens the similarities by this factor.
SHARPENING = 1.06


def contrastive_loss(
    image: Tensor, text: Tensor, labels: Tensor, temperature: float = 0.22, intra_weight: float = 0.14
) -> Tensor:
    r"""Multi-label contrastive loss between and within modalities.

    .. math::
        L = -\ell(R, v, t) - \ell(R, t, v) - \gamma \, (\ell(R', v, v) + \ell(R', t, t)), \qquad
        \ell(R, a, b) = \frac{1}{B} \sum_{ij} R_{ij} \Big( s_{ij} - \log \sum_k e^{1.06 \, s_{ik}} \Big)

    with :math:`s = \cos(a, b) / T`. :math:`R` spreads the weight 1 of each row over the items that share a
    label with it; :math:`R'` leaves the item itself out (P-GNN-CON, doi:10.1109/TPAMI.2022.3188547). An
    item that shares labels with no other adds nothing to the terms with :math:`R'`, one without labels
    nothing at all.

    Args:
        image: :math:`v`, shape :math:`(B, H)`.
        text: :math:`t` of the same items, shape :math:`(B, H)`.
        labels: Multi-hot, shape :math:`(B, C)`.
        temperature: :math:`T`.
        intra_weight: :math:`\gamma`, weight of the terms within a modality.

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> from labelgraph.losses import contrastive_loss
        >>> item = torch.tensor([[1.0, 0.0]])
        >>> contrastive_loss(item, item, torch.ones(1, 1), temperature=0.5)  # 2 * (1.06 - 1) / 0.5
        tensor(0.2400)
    """
    image, text = F.normalize(image), F.normalize(text)
    positive = (labels @ labels.t()).clamp(max=1.0)
    others = positive - torch.diag(positive.diagonal())
    positive, others = _spread(positive), _spread(others)
    cross = image @ text.t() / temperature
    inter = _likelihood(positive, cross) + _likelihood(positive, cross.t())
    intra = _likelihood(others, image @ image.t() / temperature) + _likelihood(others, text @ text.t() / temperature)
    return -inter - intra_weight * intra


def _spread(positive: Tensor) -> Tensor:
    """Rows of sum 1, but rows of nothing stay 0."""
    return positive / positive.sum(1, keepdim=True).clamp(min=1e-6)


def _likelihood(positive: Tensor, similarity: Tensor) -> Tensor:
    """Mean over rows of the weighted log-probabilities."""
    log_probability = similarity - (SHARPENING * similarity).logsumexp(1, keepdim=True)
    return (positive * log_probability).sum(1).mean()
