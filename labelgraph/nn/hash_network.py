"""From features to the bits of a code."""

from __future__ import annotations

from torch import Tensor, nn

from labelgraph.nn.feature_linear import FeatureLinear


class HashNetwork(nn.Module):
    r"""One hidden layer, then a number for every bit, :math:`h = W_2 \, \mathrm{ReLU}(W_1 v)`.

    Its sign is the stored code; training relaxes it to :math:`\tanh(a h)` (AGAH, APWeb-WAIM 2023).

    Args:
        in_channels: Size of the features.
        hidden_channels: Width of the hidden layer; published 4096.
        bits: Length of the code.

    Shapes:
        - **input:** features :math:`(B, D)`, dense or sparse CSR.
        - **output:** :math:`(B, \text{bits})`, before the sign.

    Example:
        >>> import torch
        >>> from labelgraph.nn import HashNetwork
        >>> HashNetwork(10, 32, 16)(torch.rand(2, 10)).shape
        torch.Size([2, 16])
    """

    def __init__(self, in_channels: int, hidden_channels: int, bits: int) -> None:
        super().__init__()
        if bits < 1:
            raise ValueError(f"'bits' must be at least 1 (got {bits})")
        self.lin1 = FeatureLinear(in_channels, hidden_channels)
        self.lin2 = nn.Linear(hidden_channels, bits)

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        self.lin1.reset_parameters()
        self.lin2.reset_parameters()

    def forward(self, features: Tensor) -> Tensor:
        """Map a batch."""
        hashed: Tensor = self.lin2(self.lin1(features).relu())
        return hashed
