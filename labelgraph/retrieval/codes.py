"""Binary codes as packed bits."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def pack_bits(codes: Tensor) -> Tensor:
    """Pack codes of -1 and 1 into bytes, the first bit of each eight the highest, as ``numpy.packbits`` does.

    Args:
        codes: Shape (N, bits); positive entries become 1, others 0. Bits that are not a multiple of 8 are
            filled up with 0.

    Returns:
        uint8, shape (N, ceil(bits / 8)).

    Example:
        >>> import torch
        >>> from labelgraph.retrieval import pack_bits
        >>> pack_bits(torch.tensor([[1, -1, -1, -1, -1, -1, -1, 1, 1]]))
        tensor([[129, 128]], dtype=torch.uint8)
    """
    if codes.ndim != 2 or codes.size(1) == 0:
        raise ValueError(f"'codes' must have the shape (N, bits) (got {tuple(codes.shape)})")
    bits = F.pad((codes > 0).to(torch.uint8), (0, -codes.size(1) % 8)).view(len(codes), -1, 8)
    return (bits << _shifts(codes.device)).sum(-1, dtype=torch.uint8)


def unpack_bits(packed: Tensor, bits: int) -> Tensor:
    """Undo `pack_bits`: codes of -1 and 1, int8, shape (N, bits).

    Args:
        packed: uint8, shape (N, ceil(bits / 8)).
        bits: Length of the codes.

    Example:
        >>> import torch
        >>> from labelgraph.retrieval import unpack_bits
        >>> unpack_bits(torch.tensor([[160]], dtype=torch.uint8), 3)
        tensor([[ 1, -1,  1]], dtype=torch.int8)
    """
    if packed.dtype != torch.uint8 or packed.ndim != 2 or not 8 * packed.size(1) - 8 < bits <= 8 * packed.size(1):
        raise ValueError(
            f"'packed' must be bytes of shape (N, {-(-bits // 8)}) for {bits} bits "
            f"(got {packed.dtype}, {tuple(packed.shape)})"
        )
    every = (packed.unsqueeze(-1) >> _shifts(packed.device)) & 1
    return every.view(len(packed), -1)[:, :bits].to(torch.int8) * 2 - 1


def _shifts(device: torch.device) -> Tensor:
    return torch.arange(7, -1, -1, dtype=torch.uint8, device=device)
