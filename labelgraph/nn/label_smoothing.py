"""Targets softened towards labels that often come along."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.data import Data


class LabelSmoothing(nn.Module):
    r"""Give a share of the targets to labels that occur together with those of the item.

    .. math:: \tilde{y}_b = (1 - \epsilon) \, y_b + \epsilon \, \frac{y_b P}{|y_b|_1}, \qquad P_{ij} = P(j \mid i)

    with :math:`P_{ii} = 1`. It helps where labels were forgotten: who sees a violin may also see an orchestra.

    Args:
        graph: Label graph of `cooccurrence_graph`, with its counts.
        share: :math:`\epsilon`, in [0, 1].

    Shapes:
        - **input:** labels :math:`(B, C)`.
        - **output:** targets :math:`(B, C)`.

    Example:
        >>> import torch
        >>> from labelgraph.graph import cooccurrence_graph
        >>> from labelgraph.nn import LabelSmoothing
        >>> graph = cooccurrence_graph([[1, 1, 0], [1, 0, 0], [0, 0, 1]])
        >>> LabelSmoothing(graph, 0.2)(torch.tensor([[1.0, 0.0, 0.0]]))
        tensor([[1.0000, 0.1000, 0.0000]])
    """

    conditional: Tensor

    def __init__(self, graph: Data, share: float) -> None:
        super().__init__()
        if not 0 <= share <= 1:
            raise ValueError(f"'share' must be in [0, 1] (got {share})")
        self.share = share
        joint = torch.diag(graph.count.float())
        joint[graph.edge_index[0], graph.edge_index[1]] = graph.edge_count.float()
        self.register_buffer("conditional", joint / graph.count.clamp(min=1).unsqueeze(1))

    def forward(self, labels: Tensor) -> Tensor:
        """Soften the labels of a batch."""
        along = labels @ self.conditional / labels.sum(1, keepdim=True).clamp(min=1)
        return torch.lerp(labels, along, self.share)
