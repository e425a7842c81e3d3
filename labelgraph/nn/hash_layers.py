"""Heads and networks that learn binary codes."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from labelgraph._core.checked_config import check_value
from labelgraph.nn.projector import FeatureLinear

RELAXATIONS = ("tanh", "straight-through")


class HashHead(nn.Module):
    r"""A linear map to a number for every bit, relaxed so that it can be trained.

    .. math:: c = \tanh(a \, W f), \quad a = \sqrt{\text{epoch} + 1}
        \qquad\text{or}\qquad c = \mathrm{sign}(W f)

    The growing scale brings tanh near to the sign (HashNet, Cao et al. 2017, section 3.3; AGAH,
    APWeb-WAIM 2023). The straight-through form gives the sign at once and the gradient of the identity
    where :math:`|W f| \le 1` (Bengio et al. 2013, section 2.1; Courbariaux et al. 2016, eq. 4).

    Args:
        in_channels: Width of the embeddings.
        bits: Length of the codes.
        relaxation: ``"tanh"`` or ``"straight-through"``.

    Shapes:
        - **input:** embeddings :math:`(B, H)`.
        - **output:** relaxed codes in [-1, 1], :math:`(B, \text{bits})`.

    Example:
        >>> import torch
        >>> from labelgraph.nn import HashHead
        >>> head = HashHead(8, 16)
        >>> head(torch.rand(2, 8)).shape
        torch.Size([2, 16])
    """

    def __init__(self, in_channels: int, bits: int, relaxation: str = "tanh") -> None:
        super().__init__()
        if check_value("bits", bits, int) < 1:
            raise ValueError(f"'bits' must be at least 1 (got {bits})")
        if relaxation not in RELAXATIONS:
            raise ValueError(f"'relaxation' must be one of {', '.join(RELAXATIONS)} (got {relaxation!r})")
        self.relaxation = relaxation
        self.scale = 1.0
        self.linear = nn.Linear(in_channels, bits)

    def on_epoch(self, epoch: int) -> None:
        """Let tanh come nearer to the sign; epochs count from 0."""
        self.scale = math.sqrt(epoch + 1)

    def forward(self, embedding: Tensor) -> Tensor:
        """Relax the codes of a batch."""
        hashed: Tensor = self.linear(embedding)
        if self.relaxation == "tanh":
            return torch.tanh(self.scale * hashed)
        clipped = hashed.clamp(-1, 1)
        return clipped + (sign(hashed) - clipped).detach()

    def codes(self, embedding: Tensor) -> Tensor:
        """The codes themselves, -1 or 1."""
        return sign(self.linear(embedding))


def sign(hashed: Tensor) -> Tensor:
    """-1 or 1 of every entry; 0 counts as positive, so that every bit is one of two.

    Example:
        >>> import torch
        >>> from labelgraph.nn.hash_layers import sign
        >>> sign(torch.tensor([-0.5, 0.0, 2.0]))
        tensor([-1.,  1.,  1.])
    """
    return (hashed >= 0).to(hashed.dtype) * 2 - 1


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
        if check_value("bits", bits, int) < 1:
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
