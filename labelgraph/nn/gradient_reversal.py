"""The identity whose gradient points the other way."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def reverse_gradient(x: Tensor, factor: float = 1.0) -> Tensor:
    r"""Give ``x`` on, and in the backward pass :math:`-\lambda` times the gradient.

    What comes before learns to mislead what comes after (Ganin and Lempitsky 2015, section 3.1).

    Args:
        x: Any tensor.
        factor: :math:`\lambda`.

    Example:
        >>> import torch
        >>> from labelgraph.nn import reverse_gradient
        >>> x = torch.ones(2, requires_grad=True)
        >>> reverse_gradient(x, 0.5).sum().backward()
        >>> x.grad
        tensor([-0.5000, -0.5000])
    """
    if not x.requires_grad:  # Features as they are given, dense or sparse.
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
