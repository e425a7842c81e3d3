"""From features to the common space."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Projector(nn.Module):
    r"""One linear map and a ReLU, :math:`f = \max(0, W v + b)` (ALGCN, doi:10.1109/TMM.2021.3101642).

    Args:
        in_channels: Size of the image or text features.
        out_channels: Width of the common space.

    Shapes:
        - **input:** features :math:`(B, D)`.
        - **output:** embeddings :math:`(B, H)`.

    Example:
        >>> import torch
        >>> from labelgraph.nn import Projector
        >>> Projector(10, 4)(torch.rand(2, 10)).shape
        torch.Size([2, 4])
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_channels, out_channels)

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        self.linear.reset_parameters()

    def forward(self, features: Tensor) -> Tensor:
        """Project a batch."""
        return torch.relu(self.linear(features))
