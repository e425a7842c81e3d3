"""Label scores of embeddings."""

from __future__ import annotations

from torch import Tensor

EPSILON = 1e-6


def cosine_scores(embedding: Tensor, classifiers: Tensor) -> Tensor:
    r"""Score every label for every item by the angle to its classifier.

    .. math:: s_{bc} = \frac{\langle f_b, z_c \rangle}{|f_b| \, |z_c| + 10^{-6}}

    (ALGCN, doi:10.1109/TMM.2021.3101642.)

    Args:
        embedding: :math:`f`, shape :math:`(B, H)`.
        classifiers: :math:`z`, shape :math:`(C, H)`.

    Returns:
        Scores in [-1, 1], shape :math:`(B, C)`.

    Example:
        >>> import torch
        >>> from labelgraph.nn import cosine_scores
        >>> cosine_scores(torch.tensor([[2.0, 0.0]]), torch.eye(2)).round(decimals=4)
        tensor([[1., 0.]])
    """
    lengths = embedding.norm(dim=1, keepdim=True) * classifiers.norm(dim=1)
    return embedding @ classifiers.t() / (lengths + EPSILON)
