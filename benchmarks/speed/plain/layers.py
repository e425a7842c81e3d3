"""Layers as functions of named parameters."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

Parameters = dict[str, Tensor]
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]  # Of images, texts and labels.


def linear(p: Parameters, name: str, x: Tensor) -> Tensor:
    """A linear map with bias."""
    return F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])


def batch_norm(p: Parameters, name: str, x: Tensor) -> Tensor:
    """Batch normalisation in training, running statistics included."""
    statistics = p[f"{name}.running_mean"], p[f"{name}.running_var"]
    return F.batch_norm(x, *statistics, p[f"{name}.weight"], p[f"{name}.bias"], training=True)
