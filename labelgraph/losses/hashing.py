"""What makes relaxed codes good bits: near to -1 and 1, evenly used, and each telling something of its own."""

from __future__ import annotations

import torch
from torch import Tensor


def quantisation_loss(codes: Tensor) -> Tensor:
    r"""Mean squared distance of the relaxed codes from -1 and 1, :math:`\mathrm{mean} \, (|c| - 1)^2`.

    (Deep supervised hashing, Liu et al. 2016, eq. 3, squared.)

    Args:
        codes: Relaxed codes, shape :math:`(B, \text{bits})`.

    Example:
        >>> import torch
        >>> from labelgraph.losses import quantisation_loss
        >>> quantisation_loss(torch.tensor([[1.0, -0.5]]))
        tensor(0.1250)
    """
    return (codes.abs() - 1).square().mean()


def balance_loss(codes: Tensor) -> Tensor:
    r"""Mean squared mean of each bit, :math:`\mathrm{mean}_k \, (\mathrm{mean}_b \, c_{bk})^2`.

    It is 0 where every bit is on for half of the items (spectral hashing, Weiss et al. 2008, eq. 1).

    Args:
        codes: Relaxed codes, shape :math:`(B, \text{bits})`.

    Example:
        >>> import torch
        >>> from labelgraph.losses import balance_loss
        >>> balance_loss(torch.tensor([[1.0, 1.0], [-1.0, 1.0]]))
        tensor(0.5000)
    """
    return codes.mean(0).square().mean()


def decorrelation_loss(codes: Tensor) -> Tensor:
    r"""Mean squared distance of :math:`C^\top C / B` from the identity, over all pairs of different bits.

    It is 0 where no two bits go together (spectral hashing, Weiss et al. 2008, eq. 1); one bit alone has
    no pair, and gives 0.

    Args:
        codes: Relaxed codes :math:`C`, shape :math:`(B, \text{bits})`.

    Example:
        >>> import torch
        >>> from labelgraph.losses import decorrelation_loss
        >>> decorrelation_loss(torch.tensor([[1.0, 1.0], [-1.0, -1.0]]))  # the same bit twice
        tensor(1.)
    """
    bits = codes.size(1)
    product = codes.t() @ codes / len(codes)
    apart = product - torch.diag(product.diagonal())
    return apart.square().sum() / max(1, bits * (bits - 1))
