"""Distance of label scores from labels."""

from __future__ import annotations

from torch import Tensor


def classification_loss(scores: Tensor, labels: Tensor) -> Tensor:
    r"""Mean Euclidean distance of the scores from the labels.

    .. math:: \frac{1}{B} \sum_b |s_b - y_b|_2

    (ALGCN, doi:10.1109/TMM.2021.3101642.)

    Args:
        scores: :math:`s`, shape :math:`(B, C)`.
        labels: :math:`y`, multi-hot, shape :math:`(B, C)`.

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> from labelgraph.losses import classification_loss
        >>> classification_loss(torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2))
        tensor(5.)
    """
    return (scores - labels).norm(dim=1).mean()
