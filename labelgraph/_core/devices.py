"""Devices of PyTorch, checked before anything is moved to them, and threads of the processor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

from labelgraph._core.argument_kinds import received

Part = TypeVar("Part")
Result = TypeVar("Result")


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


def in_threads(task: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """Run a task for each part, each in a thread of its own with one thread of PyTorch, and without gradients.

    Small products are faster so than if all threads wait for each other after each.
    """
    with _one_thread_each(), ThreadPoolExecutor(len(parts)) as pool:
        return list(pool.map(torch.no_grad()(task), parts))


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let PyTorch use one thread in each new thread; also in those that others start in the meantime."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
