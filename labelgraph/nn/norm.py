"""Normalisation of directed label graphs."""

from __future__ import annotations

import torch
from torch import Tensor


def source_norm(edge_index: Tensor, edge_weight: Tensor, num_nodes: int) -> Tensor:
    r"""Normalise edge weights by the outgoing degree of both ends.

    .. math:: \hat{A} = D^{-1/2} A^\top D^{-1/2}, \qquad d_i = \sum_j A_{ij}

    (ALGCN, doi:10.1109/TMM.2021.3101642, and DAGNN, doi:10.1609/aaai.v35i3.16345.) PyG's ``gcn_norm``
    takes the incoming degree, which differs on directed graphs. A label whose degree is not positive
    gets the factor 0, so that nothing becomes infinite.

    Args:
        edge_index: Edges :math:`i \to j`, shape :math:`(2, E)`.
        edge_weight: :math:`A_{ij}`, shape :math:`(E,)`.
        num_nodes: :math:`C`.

    Returns:
        :math:`\hat{A}_{ji}` of each edge :math:`i \to j`, shape :math:`(E,)`.

    Example:
        >>> import torch
        >>> from labelgraph.nn import source_norm
        >>> source_norm(torch.tensor([[0, 0, 1], [0, 1, 1]]), torch.tensor([1.0, 3.0, 1.0]), 2)
        tensor([0.2500, 1.5000, 1.0000])
    """
    source, target = edge_index
    degree = edge_weight.new_zeros(num_nodes).index_add(0, source, edge_weight)
    positive = degree > 0
    # The inner `where` keeps the gradient of the unused branch finite.
    scale = torch.where(positive, torch.where(positive, degree, 1.0).rsqrt(), 0.0)
    return edge_weight * scale[source] * scale[target]
