"""Generators between the modalities, and modality discriminators with gradient reversal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labelgraph.nn.projector import FeatureLinear, FeatureNorm


def reverse_gradient(x: Tensor, factor: float = 1.0) -> Tensor:
    r"""Return ``x`` unchanged, and multiply the gradient by :math:`-\lambda` in the backward pass.

    Layers before the reversal learn to mislead the layers after the reversal (Ganin and Lempitsky 2015, section 3.1).

    Args:
        x: Any tensor.
        factor: Factor :math:`\lambda`.

    Example:
        >>> import torch
        >>> from labelgraph.nn import reverse_gradient
        >>> x = torch.ones(2, requires_grad=True)
        >>> reverse_gradient(x, 0.5).sum().backward()
        >>> x.grad
        tensor([-0.5000, -0.5000])
    """
    if not x.requires_grad:  # Input features, dense or sparse, need no gradient.
        return x
    reversed_: Tensor = _Reversal.apply(x, factor)
    return reversed_


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.factor * gradients[0], None


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "leaky_relu": partial(F.leaky_relu, negative_slope=0.2),
}


class Generator(nn.Module):
    r"""Generator of features of one modality from embeddings of the other, :math:`\sigma(W_2 \sigma(W_1 f))`.

    (DAGNN, doi:10.1609/aaai.v35i3.16345; with batch normalisation P-GNN-CON, doi:10.1109/TPAMI.2022.3188547.)
    The published text generator has 512 hidden units and LeakyReLU(0.2) after both layers. The published image
    generator has 2048 hidden units and ReLU after both layers.

    Args:
        in_channels: Width of the common space.
        hidden_channels: Width of the hidden layer.
        out_channels: Size of the generated features.
        activation: Activation :math:`\sigma`, ``"relu"`` or ``"leaky_relu"``.
        batch_norm: Apply batch normalisation to the embeddings first.

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
        """Generate the features of a batch."""
        activate = ACTIVATIONS[self.activation]
        return activate(self.lin2(activate(self.lin1(self.norm(embedding)))))


class ModalityDiscriminator(nn.Module):
    r"""Modality discriminator: gradient reversal, then linear layers :math:`D \to D/4 \to D/16 \to 2`.

    The discriminator learns to distinguish features of images (class 1) from features of texts (class 0). The
    reversed gradient trains the module that computes the features to mislead the discriminator. DAGNN
    (doi:10.1609/aaai.v35i3.16345) has no activation between the layers. P-GNN-CON
    (doi:10.1109/TPAMI.2022.3188547) has a ReLU between the layers and batch normalisation after the reversal.

    Args:
        in_channels: Size :math:`D` of the features; layer widths are rounded down and at least 1.
        activation: Apply a ReLU between the layers.
        batch_norm: Apply batch normalisation after the reversal.
        factor: Factor of the gradient reversal.

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
        """Classify the features of a batch by modality."""
        x = self.norm(reverse_gradient(features, self.factor))
        for layer in (self.lin1, self.lin2):
            x = torch.relu(layer(x)) if self.activation else layer(x)
        logits: Tensor = self.lin3(x)
        return logits
