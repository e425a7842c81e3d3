"""CPU time of searches in stores, against FAISS flat in the same process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.stores.filled import NAMES, fill, method, vectors
from labelgraph.search import Neighbours, Searcher

QUERIES, SINGLE, K, REPEATS = 200, 20, 10, 3
STORES: dict[str, str] = {"lance": "lance:{folder}/{name}", "milvus": "milvus:{folder}/{name}.db"}


def measure(folder: Path, items: int, codes: bool) -> list[dict[str, Any]]:
    """Measure the build and the searches of each store.

    Args:
        folder: Folder for the stores.
        items: Number of items.
        codes: Whether to search codes of 64 bits instead of 128 channels.

    Returns:
        For each index: CPU seconds of a batch of 200 queries, ``cpu_seconds``, of 20 queries one by one,
        ``single_cpu_seconds``, and of the batch with a label filter, ``filtered_cpu_seconds``; the same as ratios to
        FAISS flat; and ``recall`` of the first 10.
    """
    torch.set_num_threads(1)
    kind = "codes" if codes else "vectors"
    cases: list[tuple[str, str | None, str]] = [
        ("FAISS flat", None, "faiss-binary-flat" if codes else "faiss-flat"),
        ("memory", None, "hamming" if codes else "exact"),
    ]
    for store, address in STORES.items():
        for index in ("exact", "ivf") if store == "lance" else ("exact",):
            own = address.format(folder=folder, name=f"{kind}-{store}-{index}")
            cases.append((f"{store}, {index}", own, index))
    results: list[dict[str, Any]] = []
    wanted: Neighbours | None = None
    for title, place, index in cases:
        started = time.perf_counter()
        searcher = fill(Searcher(method(codes), index, NAMES, place), items, codes)
        build = time.perf_counter() - started
        result, found = _searches(searcher, codes)
        wanted = wanted or found
        results.append({"index": title, "kind": kind, "items": items, "build_seconds": build,
                        **result, "recall": _recall(found, wanted)})  # fmt: skip
    for result in results:
        for name in ("cpu_seconds", "single_cpu_seconds", "filtered_cpu_seconds"):
            result[name.replace("cpu_seconds", "ratio")] = result[name] / results[0][name]
    return results


def _searches(searcher: Searcher, codes: bool) -> tuple[dict[str, float], Neighbours]:
    queries, side = vectors(QUERIES, 1_000_000_007, codes), searcher._sides["image"]

    def single() -> list[Neighbours]:
        return [side.search(query[None], K, None, None) for query in queries[:SINGLE]]

    found = side.search(queries, K, None, None)
    return {
        "cpu_seconds": _cpu(lambda: side.search(queries, K, None, None)),
        "single_cpu_seconds": _cpu(single),
        "filtered_cpu_seconds": _cpu(lambda: side.search(queries, K, [3, 5], None)),
    }, found


def _cpu(run: Callable[[], object]) -> float:
    """Return the CPU seconds of all threads of this process, the median of some runs."""
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        run()
        times.append(time.process_time() - started)
    return statistics.median(times)


def _recall(found: Neighbours, wanted: Neighbours) -> float:
    """Return the share of results that are as near as the wanted ones; equal scores may change places."""
    worst = wanted.scores[:, -1:].float()
    scores = found.scores.float()
    near = scores >= worst - 1e-5 if wanted.scores.is_floating_point() else scores <= worst
    return float(near.float().mean())
