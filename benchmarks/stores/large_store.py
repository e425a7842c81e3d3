"""Memory of a process that fills a store larger than the process may hold, and searches it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.scale.steps import run
from benchmarks.stores.filled import BITS, CHANNELS, NAMES, fill, method, vectors
from labelgraph.cli.inputs import return_large_blocks
from labelgraph.search import Searcher

QUERIES, K = 20, 10


def measure(folder: Path, number: int, codes: bool) -> dict[str, Any]:
    """Fill a store of LanceDB in one process, and search it in another; return time and peak memory of both.

    Returns:
        ``items``, ``kind``, ``raw_bytes`` of the vectors or codes, ``disk_bytes`` of the store, and for ``fill`` and
        ``search`` the figures of `benchmarks.scale.steps.Finished`.
    """
    address = f"lance:{folder / ('codes' if codes else 'vectors')}"
    steps: dict[str, Any] = {}
    for step in ("fill", "search"):
        command = [sys.executable, "-m", "benchmarks.stores.large_store", step, address, str(number), str(int(codes))]
        finished = asdict(run(command, {"OMP_NUM_THREADS": "1"}))
        steps[step] = {**finished, "output": json.loads(finished["output"])}
    size = sum(path.stat().st_size for path in Path(address.removeprefix("lance:")).rglob("*") if path.is_file())
    raw = number * (BITS // 8 if codes else 4 * CHANNELS)
    return {"items": number, "kind": "codes" if codes else "vectors", "raw_bytes": raw, "disk_bytes": size, **steps}


def main(arguments: Sequence[str]) -> None:
    """Fill or search, and print a JSON object."""
    step, address, number, codes = arguments[0], arguments[1], int(arguments[2]), bool(int(arguments[3]))
    return_large_blocks()  # As `labelgraph index` and `labelgraph search` do.
    if step == "fill":
        searcher = fill(Searcher(method(codes), None, NAMES, address), number, codes)
        print(json.dumps({"images": len(searcher._sides["image"])}))
        return
    side, times = Searcher.open(address)._sides["image"], []
    for query in vectors(QUERIES, 1_000_000_007, codes):
        for columns in (None, [3]):
            started = time.perf_counter()
            side.search(query[None], K, columns, None)
            times.append(time.perf_counter() - started)
    plain, filtered = (sorted(times[start::2])[QUERIES // 2] for start in (0, 1))
    print(json.dumps({"median_seconds": plain, "median_filtered_seconds": filtered}))


if __name__ == "__main__":
    main(sys.argv[1:])
