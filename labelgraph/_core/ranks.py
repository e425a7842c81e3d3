"""Batches that several processes share: sums and rows of all processes, with gradients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F

from labelgraph._core.checks import new_csr

_group: dist.ProcessGroup | None = None  # A plain variable, because torch.compile does not read a ContextVar.


@contextmanager
def shared_batch(group: dist.ProcessGroup | None) -> Iterator[None]:
    """Declare that each process of a group has some rows of one batch, in the order of the ranks.

    Within the context, `rows_of_all` and `sum_of_all` communicate. Outside it, or for the group ``None``, they return
    their arguments, so that a module needs no other code for one process.
    """
    global _group
    before, _group = _group, group
    try:
        yield
    finally:
        _group = before


def is_shared() -> bool:
    """Whether several processes share the present batch."""
    return _group is not None


def sum_of_all(value: Tensor) -> Tensor:
    """Sum a tensor over the processes that share the batch. The gradient is summed as well.

    If all processes compute the same loss L of the whole batch, the gradient of a parameter in one process is therefore
    the part of its own rows, times the number of processes. The mean over processes, as in DDP, is the gradient of L.
    """
    if _group is None:
        return value
    total: Tensor = _Sum.apply(value, _group)
    return total


def rows_of_all(*parts: Tensor) -> list[Tensor]:
    """Gather the rows of some tensors from the processes that share the batch, with gradients.

    Args:
        parts: Dense tensors with at least one dimension, or CSR matrices, whose values have no gradient. The number of
            rows may differ between processes.

    Returns:
        The tensors with the rows of all processes, in the order of the ranks.
    """
    if _group is None:
        return list(parts)
    rows = iter(_dense_rows([each for part in parts for each in _as_rows(part)], _group))
    return [next(rows) if part.layout == torch.strided else _as_csr(rows, part.size(1)) for part in parts]


@contextmanager
def shared_errors(group: dist.ProcessGroup | None) -> Iterator[None]:
    """Let an error of one process in the context be an error in all processes, which would wait for it otherwise.

    Every process of the group must enter the context, and communicate neither in it nor before its end. For the group
    ``None``, errors are unchanged.

    Raises:
        ValueError: In all processes, if one of them raises it; the message names the process.
        RuntimeError: In the other processes, if one of them raises another error.
    """
    if group is None:
        yield
        return
    error: Exception | None = None
    try:
        yield
    except Exception as wrong:
        error = wrong
    refused = isinstance(error, ValueError)
    own = None if error is None else (refused, str(error) if refused else f"{type(error).__name__}: {error}")
    everyone: list[Any] = [None] * dist.get_world_size(group)
    dist.all_gather_object(everyone, own, group=group)
    if error is not None and not refused:
        raise error
    for rank, failure in enumerate(everyone):
        if failure is not None:
            raise (ValueError if failure[0] else RuntimeError)(f"{failure[1]} in process {rank}") from error


def average_gradient(parameter: Tensor) -> None:
    """Replace the gradient of a parameter, dense or sparse, by its mean over the processes that share the batch."""
    gradient = parameter.grad
    if _group is None or gradient is None:
        return
    count = dist.get_world_size(_group)
    if gradient.layout == torch.strided:
        parameter.grad = sum_of_all(gradient) / count
        return
    own = gradient.coalesce()
    places, values = rows_of_all(own.indices().t(), own.values())
    mean = torch.sparse_coo_tensor(places.t(), values / count, gradient.shape, check_invariants=False)
    parameter.grad = mean.coalesce()


def _as_rows(part: Tensor) -> list[Tensor]:
    """Return a dense tensor, or the entries of each row, the columns and the values of a CSR matrix."""
    if part.layout == torch.strided:
        return [part]
    # SciPy chooses int32 or int64 by the size of each matrix, but all processes must sum the same type.
    return [part.crow_indices().diff().long(), part.col_indices().long(), part.values()]


def _as_csr(rows: Iterator[Tensor], num_columns: int) -> Tensor:
    entries, columns, values = (next(rows) for _ in range(3))
    return new_csr(F.pad(entries.cumsum(0), (1, 0)), columns, values, (len(entries), num_columns))


def _dense_rows(parts: list[Tensor], group: dist.ProcessGroup) -> list[Tensor]:
    own = torch.tensor([len(part) for part in parts], device=parts[0].device)
    sizes = [torch.empty_like(own) for _ in range(dist.get_world_size(group))]
    dist.all_gather(sizes, own, group=group)
    counts, rank = torch.stack(sizes).t().tolist(), dist.get_rank(group)
    return [_placed(part, sum(count[:rank]), sum(count)) for part, count in zip(parts, counts, strict=True)]


def _placed(part: Tensor, start: int, total: int) -> Tensor:
    """Place rows among zeros for the rows of the other processes, and sum over the processes."""
    around = (0, 0) * (part.ndim - 1) + (start, total - start - len(part))
    return sum_of_all(F.pad(part, around))


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, group: dist.ProcessGroup) -> Tensor:
        ctx.group = group
        return _summed(value, group)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _summed(gradients[0], ctx.group), None


def _summed(value: Tensor, group: dist.ProcessGroup) -> Tensor:
    total = value.detach().clone(memory_format=torch.contiguous_format)
    total = total.byte() if value.dtype == torch.bool else total  # Gloo does not sum truth values.
    dist.all_reduce(total, group=group)
    return total.to(value.dtype)
