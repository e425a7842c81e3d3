"""CPU time of searches in stores, against FAISS flat in the same process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.stores.filled import NAMES, fill, labelled, method, probable, vectors
from labelgraph.cli.common import note
from labelgraph.search import Neighbours, Searcher

QUERIES, SINGLE, K, REPEATS = 200, 20, 10, 2
Case = tuple[str, str | None, str]


def measure(folder: Path, items: int, codes: bool, milvus: bool = False) -> list[dict[str, Any]]:
    """Measure the build and the searches of each index of LanceDB, or of Milvus Lite.

    Args:
        folder: Folder for the stores.
        items: Number of items.
        codes: Whether to search codes of 64 bits instead of 128 channels.
        milvus: Whether to measure Milvus Lite, which takes minutes, instead of LanceDB.

    Returns:
        For each index: CPU seconds of a batch of 200 queries, ``cpu_seconds``, of 20 queries one by one,
        ``single_cpu_seconds``, and of the batch with a label filter, ``filtered_cpu_seconds``; the same as ratios to
        FAISS flat; and ``recall`` of the first 10.
    """
    torch.set_num_threads(1)
    cases: list[Case] = [("FAISS flat", None, "faiss-binary-flat" if codes else "faiss-flat")]
    if milvus:
        cases.append(("Milvus Lite, exact", f"milvus:{folder / 'items.db'}", "exact"))
    else:
        cases.append(("memory", None, "hamming" if codes else "exact"))
        cases += [(f"LanceDB, {index}", f"lance:{folder / f'{codes}-{index}'}", index) for index in ("exact", "ivf")]
    results: list[dict[str, Any]] = []
    wanted: Neighbours | None = None
    for title, place, index in cases:
        started = time.perf_counter()
        searcher = fill(Searcher(method(codes), index, NAMES, place), items, codes)
        build = time.perf_counter() - started
        note(f"{title}: {items:,} items in {build:.0f} s")
        result, found = _searches(searcher, codes)
        note(f"{title}: searched, {result['cpu_seconds']:.3g} CPU seconds for {QUERIES} queries")
        wanted = wanted or found
        results.append({"index": title, "kind": "codes" if codes else "vectors", "items": items,
                        "build_seconds": build, **result, "recall": _recall(found, wanted)})  # fmt: skip
    for result in results:
        for name in ("cpu_seconds", "single_cpu_seconds", "filtered_cpu_seconds"):
            result[name.replace("cpu_seconds", "ratio")] = result[name] / results[0][name]
    return results


def candidates(folder: Path, items: int) -> list[dict[str, Any]]:
    """Measure the recall of the first 10 by the expected Jaccard coefficient, of which a store finds candidates.

    Items have 3.3 expected labels of 24, and pair embeddings of no meaning, which is the hardest case.
    """
    wanted: Neighbours | None = None
    results = []
    cases: list[tuple[str, str | None, str, dict[str, int]]] = [
        ("memory", None, "exact", {}), ("FAISS flat", None, "faiss-flat", {}), ("LanceDB, exact", "a", "exact", {}),
        ("LanceDB, ivf", "b", "ivf", {}), ("LanceDB, ivf, 32 probes", "c", "ivf", {"num_probes": 32}),
    ]  # fmt: skip
    for title, name, index, settings in cases:
        place = None if name is None else f"lance:{folder / name}"
        searcher = Searcher(labelled(), index, NAMES, place, **settings)
        searcher._sides.fill([probable(items)])
        found = searcher._sides["image"].search(probable(QUERIES, 1).vectors["image"], K, None, None)
        wanted = wanted or found
        results.append({"index": title, "items": items, "recall": _recall(found, wanted)})
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
    """Return the CPU seconds of all threads of this process, the fewest of two runs."""
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        run()
        times.append(time.process_time() - started)
    return min(times)


def _recall(found: Neighbours, wanted: Neighbours) -> float:
    """Return the share of results that are as near as the wanted ones; equal scores may change places."""
    worst = wanted.scores[:, -1:].float()
    scores = found.scores.float()
    near = scores >= worst - 1e-5 if wanted.scores.is_floating_point() else scores <= worst
    return float(near.float().mean())
