"""Telling images from texts."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

IMAGE, TEXT = 1, 0


def adversarial_loss(logits: Tensor, modality: int) -> Tensor:
    r"""Cross-entropy of a modality discriminator on features that all come from one modality.

    .. math:: -\frac{1}{B} \sum_b \log \mathrm{softmax}(l_b)_m

    (DAGNN, doi:10.1609/aaai.v35i3.16345.) Gradient reversal within the discriminator makes one loss serve
    both sides of the game.

    Args:
        logits: :math:`l` of `ModalityDiscriminator`, shape :math:`(B, 2)`.
        modality: What the features were made from: 1 an image, 0 a text.

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> from labelgraph.losses import adversarial_loss
        >>> adversarial_loss(torch.zeros(3, 2), 1)  # log 2: it cannot tell
        tensor(0.6931)
    """
    return -F.log_softmax(logits, 1)[:, modality].mean()
