"""The adjacency that learns a residual on what was counted."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from labelgraph.nn.complete_graph import complete_edges
from labelgraph.nn.norm import source_norm
from labelgraph.nn.propagation import dense_adjacency


class AdaptiveAdjacency(nn.Module):
    r"""A label graph with a learned residual between all pairs of labels.

    .. math:: A_{ad} = \mathrm{ReLU}(A + \gamma B), \qquad \hat{A} = D^{-1/2} A_{ad}^\top D^{-1/2}

    (ALGCN, doi:10.1109/TMM.2021.3101642.) :math:`B` is learned, drawn uniformly in [0, 0.02].

    Args:
        graph: Label graph :math:`A`, for instance of `BinaryAdjacency`.
        gamma: Weight of the residual.
        normalize: Apply `source_norm`.

    Shapes:
        - **output:** edge indices :math:`(2, C^2)` and edge weights :math:`(C^2,)`, sorted by source.

    Example:
        >>> from labelgraph.graph import BinaryAdjacency, cooccurrence_graph
        >>> from labelgraph.nn import AdaptiveAdjacency
        >>> adjacency = AdaptiveAdjacency(BinaryAdjacency()(cooccurrence_graph([[1, 1, 0], [0, 0, 1]])))
        >>> edge_index, edge_weight = adjacency()
        >>> edge_index.shape, edge_weight.shape
        (torch.Size([2, 9]), torch.Size([9]))
    """

    static: Tensor
    edge_index: Tensor

    def __init__(self, graph: Data, gamma: float = 0.5, normalize: bool = True) -> None:
        super().__init__()
        self.num_labels = int(graph.num_nodes)
        self.gamma = gamma
        self.normalize = normalize
        self.register_buffer("edge_index", complete_edges(self.num_labels), persistent=False)
        self.register_buffer("static", dense_adjacency(graph.edge_index, graph.edge_weight, self.num_labels))
        self.residual = nn.Parameter(torch.empty(self.num_labels, self.num_labels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the residual anew."""
        nn.init.uniform_(self.residual, 0.0, 0.02)

    def forward(self, x: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Give the edges as learned so far; the embeddings ``x`` do not matter here."""
        weight = torch.relu(self.static + self.gamma * self.residual).flatten()
        if self.normalize:
            weight = source_norm(self.edge_index, weight, self.num_labels)
        return self.edge_index, weight
