"""Devices of PyTorch, checked before anything is moved to them."""

from __future__ import annotations

from typing import Any

import torch

from labelgraph._core.argument_kinds import received


def as_device(device: Any) -> torch.device:
    """Return a device that this machine has.

    Raises:
        ValueError: If PyTorch has no device of this name, or does not find it on this machine.

    Example:
        >>> from labelgraph._core.devices import as_device
        >>> as_device("cpu")
        device(type='cpu')
        >>> as_device("gpu")
        Traceback (most recent call last):
        ValueError: 'device' must be a device of PyTorch, such as cpu, cuda or mps (got 'gpu')
    """
    try:
        named = torch.device(device) if isinstance(device, str | torch.device) else None
    except RuntimeError:
        named = None
    if named is None:
        raise ValueError(f"'device' must be a device of PyTorch, such as cpu, cuda or mps (got {received(device)})")
    if not _is_here(named):
        raise ValueError(f"'device' must be one that this machine has (got {str(named)!r}, which torch does not find)")
    return named


def _is_here(device: torch.device) -> bool:
    if device.type == "cuda" and not torch.cuda.is_available():
        return False
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError, ImportError):
        return False
    return True
