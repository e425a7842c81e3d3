"""What the dual adversarial methods share: generators, and discriminators behind a gradient reversal."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.speed.plain.layers import Parameters, batch_norm, linear


class Reversal(torch.autograd.Function):
    """The identity, whose gradient changes sign."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Give ``x`` on."""
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Give the gradient back, negative."""
        return -gradients[0]


def adversarial(p: Parameters, image: Tensor, text: Tensor, v: Tensor, t: Tensor, normalise: bool) -> Tensor:
    """Cross-entropies of both discriminators on real and generated features; ``v`` and ``t`` are embeddings."""
    real = torch.ones(len(image), dtype=torch.long)
    if normalise:
        t, v = batch_norm(p, "image_generator.norm", t), batch_norm(p, "text_generator.norm", v)
    hidden = torch.relu(linear(p, "image_generator.lin1", t))
    made_image = torch.relu(linear(p, "image_generator.lin2", hidden))
    hidden = F.leaky_relu(linear(p, "text_generator.lin1", v), 0.2)
    made_text = F.leaky_relu(linear(p, "text_generator.lin2", hidden), 0.2)
    return (
        F.cross_entropy(judge(p, "image_discriminator", image, normalise), real)
        + F.cross_entropy(judge(p, "image_discriminator", made_image, normalise), 1 - real)
        + F.cross_entropy(judge(p, "text_discriminator", made_text, normalise), real)
        + F.cross_entropy(judge(p, "text_discriminator", text, normalise), 1 - real)
    )


def judge(p: Parameters, name: str, x: Tensor, normalise: bool) -> Tensor:
    """Logits of a discriminator; one that normalises has ReLUs as well."""
    x = Reversal.apply(x)
    if not normalise:
        return linear(p, f"{name}.lin3", linear(p, f"{name}.lin2", linear(p, f"{name}.lin1", x)))
    x = batch_norm(p, f"{name}.norm", x)
    for layer in ("lin1", "lin2"):
        x = torch.relu(linear(p, f"{name}.{layer}", x))
    return linear(p, f"{name}.lin3", x)
