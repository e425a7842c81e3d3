"""From the common space to features of the other modality."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from labelgraph.nn.batch_norm import FeatureNorm

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "leaky_relu": partial(F.leaky_relu, negative_slope=0.2),
}


class Generator(nn.Module):
    r"""Make features of one modality from the embedding of the other, :math:`\sigma(W_2 \sigma(W_1 f))`.

    (DAGNN, doi:10.1609/aaai.v35i3.16345; with the normalisation P-GNN-CON, doi:10.1109/TPAMI.2022.3188547.)
    Published: to texts over 512 with LeakyReLU(0.2), to images over 2048 with ReLU, after both layers.

    Args:
        in_channels: Width of the common space.
        hidden_channels: Width of the hidden layer.
        out_channels: Size of the features to make.
        activation: :math:`\sigma`, ``"relu"`` or ``"leaky_relu"``.
        batch_norm: Normalise the embedding first.

    Shapes:
        - **input:** embeddings :math:`(B, H)`.
        - **output:** features :math:`(B, D)`.

    Example:
        >>> import torch
        >>> from labelgraph.nn import Generator
        >>> Generator(8, 16, 5, "leaky_relu")(torch.rand(2, 8)).shape
        torch.Size([2, 5])
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        activation: str = "relu",
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"'activation' must be one of {', '.join(ACTIVATIONS)} (got {activation!r})")
        self.activation = activation
        self.norm = FeatureNorm(in_channels) if batch_norm else nn.Identity()
        self.lin1 = nn.Linear(in_channels, hidden_channels)
        self.lin2 = nn.Linear(hidden_channels, out_channels)

    def forward(self, embedding: Tensor) -> Tensor:
        """Make the features of a batch."""
        activate = ACTIVATIONS[self.activation]
        return activate(self.lin2(activate(self.lin1(self.norm(embedding)))))
