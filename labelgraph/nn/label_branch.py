"""The label side of every label-graph method."""

from __future__ import annotations

from torch import Tensor, nn


class LabelBranch(nn.Module):
    """Embeddings, adjacency and encoder in one: what turns a label graph into classifiers.

    Args:
        embedding: Gives label embeddings (C, F), for instance `LabelEmbedding`.
        adjacency: Gives ``(edge_index, edge_weight)`` from them, for instance `AdaptiveAdjacency`.
        encoder: Gives classifiers (C, H) from both, for instance `LabelEncoder`.

    Shapes:
        - **output:** classifiers :math:`(C, H)`, edge indices :math:`(2, E)`, edge weights :math:`(E,)`.
    """

    def __init__(self, embedding: nn.Module, adjacency: nn.Module, encoder: nn.Module) -> None:
        super().__init__()
        self.embedding = embedding
        self.adjacency = adjacency
        self.encoder = encoder

    def forward(self) -> tuple[Tensor, Tensor, Tensor]:
        """Give the classifiers, and the edges they were made with."""
        x = self.embedding()
        edge_index, edge_weight = self.adjacency(x)
        return self.encoder(x, edge_index, edge_weight), edge_index, edge_weight
