"""The cases by name, each measured in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import torch

from benchmarks.speed import approximate, cooccurrence, propagation, ranking, search, training_step

CASES: dict[str, Callable[[int], list[dict[str, Any]]]] = {
    "propagation": propagation.measure,
    "cooccurrence": cooccurrence.measure,
    "ranking": ranking.measure,
    "search_hamming": search.hamming,
    "search_cosine": search.cosine,
    "search_approximate": approximate.measure,
    **{f"training_step_{name}": case for name, case in training_step.CASES.items()},
}


def alone(name: str, threads: int) -> list[dict[str, Any]]:
    """Measure one case in a fresh process: what another left in the heap changes what memory costs."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(in_process, name, threads).result()


def in_process(name: str, threads: int) -> list[dict[str, Any]]:
    """Pin the threads and measure one case."""
    torch.set_num_threads(threads)
    return CASES[name](threads)
