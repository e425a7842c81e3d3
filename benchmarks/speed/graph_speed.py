"""Speed of co-occurrence and propagation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from benchmarks.speed.measure import pair, peak_memory
from labelgraph.graph import cooccurrence_graph
from labelgraph.nn import LabelConv

SAMPLES, LABELS, A_ROW = 1_000_000, 10_000, 5


def measure_cooccurrence(threads: int) -> list[dict[str, Any]]:
    """Count the co-occurrence of a million samples, each with five of ten thousand labels."""
    generator = np.random.default_rng(0)
    column = generator.integers(LABELS, size=(SAMPLES, A_ROW)).ravel()
    start = np.arange(0, SAMPLES * A_ROW + 1, A_ROW)
    labels = sp.csr_array((np.ones(column.size, dtype=np.int64), column, start), shape=(SAMPLES, LABELS))
    labels.sum_duplicates()
    labels.data[:] = 1
    name = f"co-occurrence, {SAMPLES} x {LABELS} labels, {A_ROW} per row, against labels.T @ labels"
    return [pair(name, lambda: cooccurrence_graph(labels), lambda: labels.T.tocsr() @ labels, repeats=3)]


SIZES = (24, 81, 256, 1024)
CHANNELS = 1024
SPARSE_NODES, SPARSE_EDGES, SPARSE_CHANNELS = 100_000, 1_000_000, 128


def measure_propagation(threads: int) -> list[dict[str, Any]]:
    """All cases."""
    return [*map(complete, SIZES), sparse(threads)]


def complete(size: int) -> dict[str, Any]:
    """Measure propagation over a complete graph: the layer against ``adj.t() @ (x @ W)``."""
    generator = torch.Generator().manual_seed(size)
    label = torch.arange(size)
    edge_index = torch.cartesian_prod(label, label).t().contiguous()
    weight = torch.rand(size * size, generator=generator).requires_grad_()
    adjacency = weight.detach().view(size, size).clone().requires_grad_()
    x = torch.rand(size, CHANNELS, generator=generator).requires_grad_()
    conv = LabelConv(CHANNELS, CHANNELS)

    def ours() -> None:
        conv(x, edge_index, weight).sum().backward()

    def plain() -> None:
        (adjacency.t() @ (x @ conv.weight)).sum().backward()

    name = f"propagation, complete graph, C = {size}, F = {CHANNELS}, forward and backward"
    return pair(name, ours, plain, repeats=15 if size > 256 else 40)


def sparse(threads: int) -> dict[str, Any]:
    """Measure propagation over a large sparse graph: peak memory against the memory of inputs and outputs."""
    matrix = 4 * SPARSE_NODES * SPARSE_CHANNELS
    edges = SPARSE_EDGES * (8 + 8 + 4)
    held = 2 * matrix + edges + 4 * SPARSE_CHANNELS**2
    taken = peak_memory(make_sparse, threads)
    return {
        "name": f"propagation, sparse graph, C = {SPARSE_NODES}, E = {SPARSE_EDGES}, F = {SPARSE_CHANNELS}, "
        "forward and backward, memory with inputs against inputs and outputs",
        "repeats": 1,
        "seconds": {"median": taken["seconds"]},
        "bytes": taken["extra_bytes"] + held - matrix,
        "rival_bytes": held,
        "ratio": {"median": (taken["extra_bytes"] + held - matrix) / held},
    }


def make_sparse() -> Callable[[], float]:
    """Return the forward and backward pass of the sparse case."""
    generator = torch.Generator().manual_seed(0)
    edge_index = torch.randint(SPARSE_NODES, (2, SPARSE_EDGES), generator=generator)
    weight = torch.rand(SPARSE_EDGES, generator=generator).requires_grad_()
    x = torch.rand(SPARSE_NODES, SPARSE_CHANNELS, generator=generator).requires_grad_()
    conv = LabelConv(SPARSE_CHANNELS, SPARSE_CHANNELS)

    def once() -> float:
        out = conv(x, edge_index, weight)
        out.sum().backward()
        return out.detach().sum().item()

    return once
