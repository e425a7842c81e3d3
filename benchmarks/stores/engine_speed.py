"""CPU time of searches in stores, against FAISS flat in the same process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.stores.filled import NAMES, fill, labelled, method, probable, vectors
from labelgraph.cli.common import note
from labelgraph.search import Neighbours, Searcher

QUERIES, SINGLE, K, TURNS = 200, 100, 10, 5
Case = tuple[str, str | None, str]


def measure(folder: Path, items: int, codes: bool, milvus: bool = False) -> list[dict[str, Any]]:
    """Measure the build and the searches of each index of LanceDB, or of Milvus Lite.

    Args:
        folder: Folder for the stores.
        items: Number of items.
        codes: Whether to search codes of 64 bits instead of 128 channels.
        milvus: Whether to measure Milvus Lite, which takes minutes, instead of LanceDB.

    Returns:
        For each index: CPU seconds of a batch of 200 queries, ``cpu_seconds``, of 100 queries one by one,
        ``single_cpu_seconds``, and of the batch with a label filter, ``filtered_cpu_seconds``; the median ratios
        to FAISS flat, whose searches take turns with those of the index; and ``recall`` of the first 10.
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
    flat: Searcher | None = None
    for title, place, index in cases:
        started = time.perf_counter()
        searcher = fill(Searcher(method(codes), index, NAMES, place), items, codes)
        build = time.perf_counter() - started
        note(f"{title}: {items:,} items in {build:.0f} s")
        flat = flat or searcher
        result, found = _searches(searcher, flat, codes)
        note(f"{title}: searched, {result['cpu_seconds']:.3g} CPU seconds for {QUERIES} queries")
        wanted = wanted or found
        results.append({"index": title, "kind": "codes" if codes else "vectors", "items": items,
                        "build_seconds": build, **result, "recall": _recall(found, wanted)})  # fmt: skip
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


def _searches(searcher: Searcher, flat: Searcher, codes: bool) -> tuple[dict[str, float], Neighbours]:
    queries, sides = vectors(QUERIES, 1_000_000_007, codes), [each._sides["image"] for each in (searcher, flat)]
    runs: dict[str, Callable[[Any], object]] = {
        "": lambda side: side.search(queries, K, None, None),
        "single_": lambda side: [side.search(query[None], K, None, None) for query in queries[:SINGLE]],
        "filtered_": lambda side: side.search(queries, K, [3, 5], None),
    }
    found = sides[0].search(queries, K, None, None)
    result: dict[str, float] = {}
    for name, run in runs.items():
        turns = np.array([[_cpu(run, side) for side in sides] for _ in range(TURNS)])
        ratio = 1.0 if searcher is flat else float(np.median(turns[:, 0] / turns[:, 1]))
        result |= {f"{name}cpu_seconds": float(turns[:, 0].min()), f"{name}ratio": ratio}
    return result, found


def _cpu(run: Callable[[Any], object], side: Any) -> float:
    """Return the CPU seconds of all threads of this process."""
    started = time.process_time()
    run(side)
    return time.process_time() - started


def _recall(found: Neighbours, wanted: Neighbours) -> float:
    """Return the share of results that are as near as the wanted ones; equal scores may change places."""
    worst = wanted.scores[:, -1:].float()
    scores = found.scores.float()
    near = scores >= worst - 1e-5 if wanted.scores.is_floating_point() else scores <= worst
    return float(near.float().mean())
