"""Hash heads and hash networks, which learn binary codes."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from labelgraph._core.checked_config import check_value
from labelgraph.nn.projector import FeatureLinear

RELAXATIONS = ("tanh", "straight-through")


class HashHead(nn.Module):
    r"""Linear map from embeddings to relaxed binary codes, which can be trained by gradients.

    .. math:: c = \tanh(a \, W f), \quad a = \sqrt{\text{epoch} + 1}
        \qquad\text{or}\qquad c = \mathrm{sign}(W f)

    As the scale :math:`a` grows, tanh approaches the sign function (HashNet, Cao et al. 2017, section 3.3; AGAH,
    APWeb-WAIM 2023). The straight-through estimator returns the sign, with the gradient of the identity where
    :math:`|W f| \le 1` (Bengio et al. 2013, section 2.1; Courbariaux et al. 2016, eq. 4).

    Args:
        in_channels: Width of the embeddings.
        bits: Length of the codes in bits.
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
        """Set the scale of tanh for an epoch; epochs count from 0."""
        self.scale = math.sqrt(epoch + 1)

    def forward(self, embedding: Tensor) -> Tensor:
        """Return the relaxed codes of a batch."""
        hashed: Tensor = self.linear(embedding)
        if self.relaxation == "tanh":
            return torch.tanh(self.scale * hashed)
        clipped = hashed.clamp(-1, 1)
        return clipped + (sign(hashed) - clipped).detach()

    def codes(self, embedding: Tensor) -> Tensor:
        """Return the binary codes, -1 or 1."""
        return sign(self.linear(embedding))


def sign(hashed: Tensor) -> Tensor:
    """Return the sign of every entry, -1 or 1; 0 counts as positive, so that every bit has one of two values.

    Example:
        >>> import torch
        >>> from labelgraph.nn.hash_layers import sign
        >>> sign(torch.tensor([-0.5, 0.0, 2.0]))
        tensor([-1.,  1.,  1.])
    """
    return (hashed >= 0).to(hashed.dtype) * 2 - 1


class HashNetwork(nn.Module):
    r"""Network with one hidden layer and one output for every bit, :math:`h = W_2 \, \mathrm{ReLU}(W_1 v)`.

    The sign of :math:`h` is the stored code. In training, the code is relaxed to :math:`\tanh(a h)` (AGAH,
    APWeb-WAIM 2023).

    Args:
        in_channels: Size of the features.
        hidden_channels: Width of the hidden layer; the published width is 4096.
        bits: Length of the codes in bits.

    Shapes:
        - **input:** features :math:`(B, D)`, dense or sparse CSR.
        - **output:** real-valued codes :math:`(B, \text{bits})`, before the sign.

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
        """Reinitialise the weights."""
        self.lin1.reset_parameters()
        self.lin2.reset_parameters()

    def forward(self, features: Tensor) -> Tensor:
        """Compute the real-valued codes of a batch."""
        hashed: Tensor = self.lin2(self.lin1(features).relu())
        return hashed
