"""Likelihood of relevance, of the pairs of a batch."""

from __future__ import annotations

import torch
from torch import Tensor

LEAST = 1e-6  # Of -log P(no label shared), whose logarithm is taken.


def relevance_loss(image: Tensor, text: Tensor, labels: Tensor) -> Tensor:
    r"""Negative log-likelihood of which images and texts share a label, by the probabilities of their labels.

    .. math::
        -\frac{1}{B^2} \sum_{ab} S_{ab} \log(1 - e^{-z_{ab}}) - (1 - S_{ab}) \, z_{ab}, \qquad
        z_{ab} = -\sum_c \log(1 - p_{ac} q_{bc})

    with :math:`S_{ab} = 1` where the items :math:`a` and :math:`b` share a label. The binary cross-entropy of single
    labels makes these probabilities right one by one; this one makes their expected relevance right.

    Args:
        image: :math:`p`, in [0, 1], shape :math:`(B, C)`.
        text: :math:`q`, shape :math:`(B, C)`.
        labels: Multi-hot, shape :math:`(B, C)`.

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> from labelgraph.losses import relevance_loss
        >>> relevance_loss(torch.tensor([[0.5]]), torch.tensor([[0.5]]), torch.ones(1, 1))  # -log 0.25
        tensor(1.3863)
    """
    # Below 1, where the logarithm of what is left has no end.
    shared = (image[:, None] * text[None]).clamp(max=1 - LEAST)
    none_shared = -torch.log1p(-shared).sum(-1)
    relevant = labels @ labels.t() > 0
    likelihood = torch.where(relevant, (-torch.expm1(-none_shared.clamp(min=LEAST))).log(), -none_shared)
    return -likelihood.mean()
