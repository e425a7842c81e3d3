"""Measurement of time and memory."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

WARM_UP = 2
Make = Callable[[], Callable[[], object]]


def pair(
    name: str, ours: Callable[[], object], rival: Callable[[], object], repeats: int = 15, warm_up: int = WARM_UP
) -> dict[str, Any]:
    """Time two functions alternately, so that changes of the machine affect both; the first turns are not counted.

    Returns:
        Median and quartiles of the seconds of both, and of the ratio ours / rival of each turn. ``cpu_ratios`` are the
        ratios of the CPU time of all threads, turn by turn, which other work on the machine changes less.
    """
    times: list[tuple[float, float]] = []
    cpu_ratios: list[float] = []
    for turn in range(warm_up + repeats):
        started = time.process_time()
        own = clock(ours)
        between = time.process_time()
        taken = own, clock(rival)
        if turn >= warm_up:
            times.append(taken)
            cpu_ratios.append((between - started) / (time.process_time() - between))
    return {
        "name": name,
        "repeats": repeats,
        "seconds": spread([ours for ours, _ in times]),
        "rival_seconds": spread([rival for _, rival in times]),
        "ratio": spread([ours / rival for ours, rival in times]),
        "cpu_ratios": cpu_ratios,
    }


def clock(function: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median and quartiles; for a single value, the value itself."""
    if len(values) == 1:
        return {"median": values[0], "lower": values[0], "upper": values[0]}
    lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": median, "lower": lower, "upper": upper}


def peak_memory(make: Make, threads: int) -> dict[str, float]:
    """Measure time and extra peak memory of one call in a new process; needs Linux.

    Args:
        make: Function that creates the inputs and returns the function to measure; it must be importable.
        threads: Number of threads of PyTorch.

    Returns:
        ``seconds``; ``extra_bytes``, the peak memory above the memory of the process with its inputs; and ``value``,
        the result of the function.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (make, threads))


def _peak(make: Make, threads: int) -> dict[str, Any]:
    torch.set_num_threads(threads)
    function = make()
    # This resets the peak memory, so that the creation of the inputs is not counted.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _status("VmRSS")
    started = time.perf_counter()
    value = function()
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "extra_bytes": _status("VmHWM") - before, "value": value}


def _status(name: str) -> int:
    """Return one of Linux's figures of the memory of this process, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name + ":")).split()[1])
