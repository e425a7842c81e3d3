"""From label embeddings to label classifiers, over several hops."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labelgraph.nn.attention_conv import LabelAttentionConv
from labelgraph.nn.conv import LabelConv

CONVS: dict[str, type[nn.Module]] = {"gcn": LabelConv, "gat": LabelAttentionConv}


class LabelEncoder(nn.Module):
    r"""Stack graph convolutions and aggregate all hops.

    .. math::
        H_l = \mathrm{LeakyReLU}_{0.2}(\hat{A} H_{l-1} W_l), \quad H_0 = X, \qquad
        Z = [H_1 ; \dots ; H_L] W_o + b_o

    (ALGCN, doi:10.1109/TMM.2021.3101642; the concatenation of layers follows Xu et al. 2018.) Row
    :math:`c` of :math:`Z` is the classifier of label :math:`c`. With ``conv="gat"`` a hop is graph attention
    over the same edges and an ELU (DAGNN, doi:10.1609/aaai.v35i3.16345).

    Args:
        in_channels: Size of the label embeddings.
        hidden_channels: Width of each hop and of the classifiers.
        num_layers: Number of hops :math:`L`; 0 uses no graph, :math:`Z = X W_o + b_o`.
        negative_slope: Of the LeakyReLU.
        conv: ``"gcn"`` (`LabelConv`) or ``"gat"`` (`LabelAttentionConv`).

    Shapes:
        - **input:** embeddings :math:`(C, F)`, edge indices :math:`(2, E)`, edge weights :math:`(E,)`.
        - **output:** classifiers :math:`(C, H)`.

    Example:
        >>> import torch
        >>> from labelgraph.graph import BinaryAdjacency, cooccurrence_graph
        >>> from labelgraph.nn import LabelEncoder, StaticAdjacency
        >>> adjacency = StaticAdjacency(BinaryAdjacency()(cooccurrence_graph([[1, 1, 0], [0, 0, 1]])))
        >>> LabelEncoder(5, 16, num_layers=2)(torch.rand(3, 5), *adjacency()).shape
        torch.Size([3, 16])
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        num_layers: int = 3,
        negative_slope: float = 0.2,
        conv: str = "gcn",
    ) -> None:
        super().__init__()
        if num_layers < 0:
            raise ValueError(f"'num_layers' must be at least 0 (got {num_layers})")
        if conv not in CONVS:
            raise ValueError(f"'conv' must be one of {', '.join(CONVS)} (got {conv!r})")
        self.conv = conv
        self.negative_slope = negative_slope
        widths = [in_channels] + [hidden_channels] * num_layers
        self.convs = nn.ModuleList(CONVS[conv](i, o) for i, o in pairwise(widths))
        self.aggregation = nn.Linear(num_layers * hidden_channels or in_channels, hidden_channels)

    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        for layer in (*self.convs, self.aggregation):
            layer.reset_parameters()

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor) -> Tensor:
        """Encode every label."""
        hops = []
        for conv in self.convs:
            x = conv(x, edge_index, edge_weight)
            x = F.elu(x) if self.conv == "gat" else F.leaky_relu(x, self.negative_slope)
            hops.append(x)
        classifiers: Tensor = self.aggregation(torch.cat(hops, -1) if hops else x)
        return classifiers
