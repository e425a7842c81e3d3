"""Queries shared out to the processes of a group."""

from __future__ import annotations

from collections.abc import Callable

import torch.distributed as dist
from torch import Tensor


def over_queries(
    measure: Callable[[slice], Tensor], values: Tensor, block_size: int, group: dist.ProcessGroup | None
) -> Tensor:
    """Measure the queries of this process and gather the values of all of them.

    A process takes whole blocks, the same as one process alone would rank, so that the numbers are the same bit
    for bit.

    Args:
        measure: Gives the values of some of the queries, (b, M).
        values: Zeros, (Q, M), to be filled.
        block_size: Queries a block.
        group: The processes, which all have all queries and the whole database; none is this one alone.

    Returns:
        ``values``, the same in every process.
    """
    if group is None:
        return values.copy_(measure(slice(0, len(values))))
    rows = share(len(values), block_size, dist.get_rank(group), dist.get_world_size(group))
    if rows.start < rows.stop:
        values[rows] = measure(rows)
    dist.all_reduce(values, group=group)  # Every row is zero in all processes but one.
    return values


def share(num_queries: int, block_size: int, rank: int, num_processes: int) -> slice:
    """The queries of a process: whole blocks in one run, as evenly as blocks allow."""
    blocks = -(-num_queries // block_size)
    start, stop = (blocks * part // num_processes * block_size for part in (rank, rank + 1))
    return slice(min(start, num_queries), min(stop, num_queries))
