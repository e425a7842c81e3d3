"""From features to the common space."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from labelgraph.nn.batch_norm import FeatureNorm
from labelgraph.nn.feature_linear import FeatureLinear


class Projector(nn.Module):
    r"""One linear map and a ReLU, :math:`f = \max(0, W v + b)` (ALGCN, doi:10.1109/TMM.2021.3101642).

    Args:
        in_channels: Size of the image or text features.
        out_channels: Width of the common space.
        batch_norm: Normalise the features first, as P-GNN-CON and I-GNN-CON do
            (doi:10.1109/TPAMI.2022.3188547).

    Shapes:
        - **input:** features :math:`(B, D)`, dense or sparse CSR.
        - **output:** embeddings :math:`(B, H)`.

    Example:
        >>> import torch
        >>> from labelgraph.nn import Projector
        >>> Projector(10, 4)(torch.rand(2, 10)).shape
        torch.Size([2, 4])
    """

    def __init__(self, in_channels: int, out_channels: int, batch_norm: bool = False) -> None:
        super().__init__()
        self.norm = FeatureNorm(in_channels) if batch_norm else nn.Identity()
        self.linear = FeatureLinear(in_channels, out_channels)

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        if isinstance(self.norm, FeatureNorm):
            self.norm.reset_parameters()
        self.linear.reset_parameters()

    def forward(self, features: Tensor) -> Tensor:
        """Project a batch."""
        return torch.relu(self.linear(self.norm(features)))
