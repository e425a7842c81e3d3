"""Trainings in several processes, which a launcher such as torchrun starts."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import torch
import torch.distributed as dist

if TYPE_CHECKING:
    from labelgraph.train.settings import TrainConfig

Value = TypeVar("Value")
TIMEOUT = timedelta(hours=4)  # The other processes wait while the first one evaluates and writes.


def num_processes() -> int:
    """Return the number of processes that the launcher started, 1 without a launcher."""
    return dist.get_world_size() if _joined() else int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this process has rank 0. Only this process prints and writes files."""
    return (dist.get_rank() if _joined() else int(os.environ.get("RANK", "0"))) == 0


def _joined() -> bool:
    return dist.is_available() and dist.is_initialized()


def check_processes(config: TrainConfig, group: str = "train") -> None:
    """Check that a process runs for each device of a training.

    Args:
        config: Settings of the training.
        group: Group of the settings, for the message.

    Raises:
        ValueError: If the launcher started another number of processes, or there is no launcher.
    """
    devices, nodes, processes = config.devices, config.num_nodes, num_processes()
    if devices * nodes == processes:
        return
    wanted = f"'{group}.devices' times '{group}.num_nodes' must be the number of processes (got {devices} times {nodes}"
    if processes == 1:
        raise ValueError(
            f"{wanted}, and 1 process); start the training by a launcher: torchrun --nnodes {nodes} --nproc-per-node "
            f"{devices} --no-python labelgraph train ..."
        )
    raise ValueError(
        f"{wanted}, and WORLD_SIZE={processes} from a launcher such as torchrun); set {group}.devices to the number "
        "of processes of a machine"
    )


def join_processes() -> None:
    """Join the other processes of the launcher, unless this has been done or there are none."""
    if num_processes() > 1 and not _joined():
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=TIMEOUT)
        atexit.register(lambda: dist.destroy_process_group() if _joined() else None)


def by_first(call: Callable[[], Value]) -> Value:
    """Call a function in the process with rank 0, and return its value, or raise its error, in all processes.

    Example:
        >>> from labelgraph.train.launch import by_first
        >>> by_first(lambda: 2)
        2
    """
    if num_processes() == 1:
        return call()
    done: list = [None, None]
    if is_first():
        try:
            done[0] = call()
        except Exception as error:
            done[1] = error
    dist.broadcast_object_list(done)
    if done[1] is not None:
        raise done[1]
    value: Value = done[0]
    return value


def wait_for_all() -> None:
    """Wait until all processes are here, for instance before one of them deletes what the others read."""
    if num_processes() > 1:
        dist.barrier()
