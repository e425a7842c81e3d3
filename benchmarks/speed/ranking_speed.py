"""Mean average precision, against the usual loop over queries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from benchmarks.speed.measure import clock, pair, peak_memory
from labelgraph.metrics import mean_average_precision, pack_bits

ITEMS, CHANNELS, LABELS = 5_000, 1_024, 24
MANY = 20_000
QUERIES, DATABASE, WIDTH, BITS = 2_000, 200_000, 128, 64


def measure(threads: int) -> list[dict[str, Any]]:
    """Measure the time at 5,000 x 5,000, and the memory at 20,000 x 20,000 and for few queries in a large database."""
    return [small(), large(threads), *searches(threads)]


def small() -> dict[str, Any]:
    """Measure the library against the loop; the loop is timed only three times, because it is slow."""
    image, text, labels = items(ITEMS)
    arrays = image.numpy(), text.numpy(), labels.numpy()

    def ours() -> float:
        return mean_average_precision(image, text, labels, labels)

    difference = abs(ours() - loop(*arrays))
    result = pair(f"mAP, {ITEMS} x {ITEMS} x {CHANNELS}, against a NumPy loop", ours, lambda: loop(*arrays), repeats=3)
    product = min(clock(lambda: image @ text.t()) for _ in range(5))
    return {**result, "difference": difference, "product_seconds": product}


def large(threads: int) -> dict[str, Any]:
    """Seconds and extra memory."""
    return costs(f"mAP, {MANY} x {MANY} x {CHANNELS}, extra memory", make_large, threads)


def searches(threads: int) -> list[dict[str, Any]]:
    """Measure time and extra memory for few queries in a large database, with embeddings and with codes."""
    size = f"mAP, {QUERIES} x {DATABASE}"
    return [
        costs(f"{size} x {WIDTH}, extra memory", make_search, threads),
        costs(f"{size}, codes of {BITS} bits, ties in database order, extra memory", make_code_search, threads),
        costs(f"{size}, codes of {BITS} bits, expectation over ties, extra memory", make_expected_search, threads),
    ]


def costs(name: str, make: Callable[[], Callable[[], object]], threads: int) -> dict[str, Any]:
    """Seconds and extra memory of one call."""
    taken = peak_memory(make, threads)
    seconds, memory = taken["seconds"], taken["extra_bytes"]
    return {"name": name, "repeats": 1, "seconds": {"median": seconds}, "bytes": memory}


def make_large() -> Callable[[], float]:
    """Return the evaluation of the large case."""
    image, text, labels = items(MANY)
    return lambda: mean_average_precision(image, text, labels, labels)


def make_search() -> Callable[[], float]:
    """Return the evaluation of few queries in a large database."""
    query, database, *labels = search_items()
    return lambda: mean_average_precision(query, database, *labels)


def make_code_search() -> Callable[[], float]:
    """Return the evaluation of few packed codes in a large database."""
    query, database, *labels = search_items()
    codes = pack_bits(query[:, :BITS]), pack_bits(database[:, :BITS])
    return lambda: mean_average_precision(*codes, *labels, similarity="hamming")


def make_expected_search() -> Callable[[], object]:
    """Return the same evaluation of codes, with the expected value over the orders of ties."""
    query, database, query_labels, database_labels = search_items()
    left, right = pack_bits(query[:, :BITS]), pack_bits(database[:, :BITS])
    return lambda: mean_average_precision(
        left, right, query_labels, database_labels, similarity="hamming", ties="expected"
    )


def search_items() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return random embeddings of queries and database, and random labels as frequent as in MIRFlickr."""
    generator = torch.Generator().manual_seed(0)
    query, database = (torch.randn(size, WIDTH, generator=generator) for size in (QUERIES, DATABASE))
    first, second = ((torch.rand(size, LABELS, generator=generator) < 0.15).float() for size in (QUERIES, DATABASE))
    return query, database, first, second


def items(size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return random embeddings of both sides, and random labels as frequent as in MIRFlickr."""
    generator = torch.Generator().manual_seed(0)
    image, text = (torch.randn(size, CHANNELS, generator=generator) for _ in range(2))
    return image, text, (torch.rand(size, LABELS, generator=generator) < 0.15).float()


def loop(query: np.ndarray, database: np.ndarray, labels: np.ndarray) -> float:
    """Compute all cosine distances by SciPy, then the average precision of one query at a time."""
    distance = cdist(query, database, "cosine")
    precisions = []
    for row, own in zip(distance, labels, strict=True):
        relevant = (labels @ own > 0)[np.argsort(row)]
        hits = np.cumsum(relevant)
        total = hits[-1]
        precisions.append(np.sum(hits / np.arange(1, len(hits) + 1) * relevant) / total if total else 0.0)
    return float(np.mean(precisions))
