"""The cases of the speed benchmark, each measured in a process of its own.

A new process cannot import functions from the main module of a package.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from labelgraph._core.lazy import LazyTable

CASES: LazyTable[Callable[[int], list[dict[str, Any]]]] = LazyTable(
    {
        "propagation": "benchmarks.speed.graph_speed:measure_propagation",
        "cooccurrence": "benchmarks.speed.graph_speed:measure_cooccurrence",
        "ranking": "benchmarks.speed.ranking_speed:measure",
        "search_hamming": "benchmarks.speed.search_speed:hamming",
        "search_cosine": "benchmarks.speed.search_speed:cosine",
        "search_approximate": "benchmarks.speed.search_speed:measure",
        "training_step_algcn": "benchmarks.speed.training_speed:ALGCN",
        "training_step_dagnn": "benchmarks.speed.training_speed:DAGNN",
        "training_step_p-gnn-con": "benchmarks.speed.training_speed:P_GNN_CON",
        "training_step_i-gnn-con": "benchmarks.speed.training_speed:I_GNN_CON",
        "training_step_agah": "benchmarks.speed.training_speed:AGAH",
        "training_step_many_labels": "benchmarks.speed.label_speed:measure",
        "training_step_algcn_mirflickr": "benchmarks.speed.training_speed:ALGCN_MIRFLICKR",
    }
)


def alone(name: str, threads: int) -> list[dict[str, Any]]:
    """Measure one case in a new process, so that its memory does not include other cases."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(in_process, name, threads).result()


def in_process(name: str, threads: int) -> list[dict[str, Any]]:
    """Set the number of threads and measure one case."""
    import torch

    torch.set_num_threads(threads)
    return CASES[name](threads)
