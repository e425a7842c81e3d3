"""Telling features of images from features of texts."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from labelgraph.nn.batch_norm import FeatureNorm
from labelgraph.nn.feature_linear import FeatureLinear
from labelgraph.nn.gradient_reversal import reverse_gradient


class ModalityDiscriminator(nn.Module):
    r"""Gradient reversal, then linear layers :math:`D \to D/4 \to D/16 \to 2`.

    It learns to tell whether features come from an image (class 1) or a text (class 0), while the reversed
    gradient makes what gave the features mislead it (DAGNN, doi:10.1609/aaai.v35i3.16345, where nothing
    stands between the layers; P-GNN-CON, doi:10.1109/TPAMI.2022.3188547, has a ReLU there and normalises
    after the reversal).

    Args:
        in_channels: Size of the features :math:`D`; divisions are rounded down, but to no less than 1.
        activation: Put a ReLU between the layers.
        batch_norm: Normalise after the reversal.
        factor: Of the gradient reversal.

    Shapes:
        - **input:** features :math:`(B, D)`, dense or sparse CSR.
        - **output:** logits :math:`(B, 2)`.

    Example:
        >>> import torch
        >>> from labelgraph.nn import ModalityDiscriminator
        >>> ModalityDiscriminator(32)(torch.rand(3, 32)).shape
        torch.Size([3, 2])
    """

    def __init__(
        self, in_channels: int, activation: bool = False, batch_norm: bool = False, factor: float = 1.0
    ) -> None:
        super().__init__()
        wide, narrow = max(1, in_channels // 4), max(1, in_channels // 16)
        self.activation = activation
        self.factor = factor
        self.norm = FeatureNorm(in_channels) if batch_norm else nn.Identity()
        self.lin1 = FeatureLinear(in_channels, wide)
        self.lin2 = nn.Linear(wide, narrow)
        self.lin3 = nn.Linear(narrow, 2)

    def forward(self, features: Tensor) -> Tensor:
        """Judge a batch."""
        x = self.norm(reverse_gradient(features, self.factor))
        for layer in (self.lin1, self.lin2):
            x = torch.relu(layer(x)) if self.activation else layer(x)
        logits: Tensor = self.lin3(x)
        return logits
