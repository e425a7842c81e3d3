"""Several processes that write and read one store, and a process that is killed while it adds."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.stores.filled import method, vectors
from labelgraph.search import Searcher
from labelgraph.search.gallery import gallery_items

BATCH = 50


def begin(*arguments: object) -> subprocess.Popen[str]:
    """Start one of the processes of `main`."""
    command = [sys.executable, "-m", "benchmarks.stores.many_processes", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def simultaneous(address: str, writers: int, readers: int, batches: int) -> dict[str, Any]:
    """Let writers add and replace batches of items, while readers search.

    Returns:
        ``items``, the number of items; ``wanted``; ``doubled`` and ``lost`` ids; ``reads``, the number of searches; and
        ``errors``, the number of processes that failed or saw a part of a batch.
    """
    _ask("create", address)
    started = time.perf_counter()
    reading = [begin("read", address) for _ in range(readers)]
    writing = [begin("write", address, number, batches) for number in range(writers)]
    errors = sum(process.wait() != 0 for process in writing)
    reads = 0
    for process in reading:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=120)
        errors += process.returncode != 0
        reads += int(output.split()[-1]) if process.returncode == 0 else 0
    ids = [each for each, _ in _ask("list", address)]
    wanted = {"first", *(f"{writer}-{row}" for writer in range(writers) for row in range(batches * BATCH))}
    return {
        "writers": writers, "readers": readers, "items": len(ids), "wanted": len(wanted), "reads": reads,
        "doubled": len(ids) - len(set(ids)), "lost": len(wanted - set(ids)), "errors": errors,
        "seconds": time.perf_counter() - started,
    }  # fmt: skip


def killed(address: str, moments: int, longest: float = 2.0, seed: int = 0) -> list[dict[str, Any]]:
    """Kill a process that adds batches at random moments, and open the store each time.

    Returns:
        For each moment: ``confirmed``, the number of batches that the process knew to be written; ``batches``, the
        number in the store; and ``whole``, whether each of them is complete, on both sides, and no confirmed
        batch is missing.
    """
    _ask("create", address)
    draw, results, before = random.Random(seed), [], 1
    for moment in range(moments):
        process = begin("write", address, moment, 10**9)
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{address}: the writer {moment} did not start")
        seconds = draw.uniform(0, longest)
        time.sleep(seconds)
        process.kill()
        confirmed = process.stdout.read().count("\n")
        process.wait()
        entries = _ask("list", address)
        new = [sides for each, sides in entries if each.startswith(f"{moment}-")]
        whole = len(entries) == before + len(new) and len(new) % BATCH == 0 and set(new) <= {2}
        results.append({"seconds": seconds, "confirmed": confirmed, "batches": len(new) / BATCH,
                        "whole": whole and len(new) >= confirmed * BATCH})  # fmt: skip
        before = len(entries)
    return results


def _ask(task: str, address: str) -> Any:
    """Run a process of its own, because Milvus Lite serves one process at a time; return the JSON that it prints."""
    output, _ = begin(task, address).communicate()
    return json.loads(output)


def _create(address: str) -> None:
    """Create a store with one item."""
    searcher = Searcher(method(codes=True), store=address)
    searcher._sides.add(["first"], ["first"], _batch(1, 0), _no_labels(searcher, 1))
    print("null")


def _list(address: str) -> None:
    """Print the id and the number of sides of all items."""
    print(json.dumps([[each.id, len(each.sides)] for each in gallery_items(Searcher.open(address))]))


def _batch(number: int, seed: int) -> dict[str, Any]:
    return {"image": vectors(number, seed, True), "text": vectors(number, seed + 1, True)}


def _no_labels(searcher: Searcher, number: int) -> Any:
    return searcher._check_labels(None, number)


def _write(address: str, writer: int, batches: int) -> None:
    """Add batches, and replace each third one by an upsert; print a line after each."""
    searcher = Searcher.open(address)
    print("ready", flush=True)
    for batch in range(batches):
        ids = [f"{writer}-{row}" for row in range(batch * BATCH, (batch + 1) * BATCH)]
        items = ids, ids, _batch(BATCH, batch), _no_labels(searcher, BATCH)
        searcher._sides.add(*items)
        print(batch, flush=True)
        if batch % 3 == 2:
            searcher._sides.upsert(*items)


def _read(address: str) -> None:
    """Search until SIGINT, and print the number of searches; check that the items are whole batches, more and more."""
    stopped: list[int] = []
    signal.signal(signal.SIGINT, lambda *_: stopped.append(1))
    searcher, before, reads = Searcher.open(address), 0, 0
    while not stopped:
        count = len(searcher._sides["image"])
        result = searcher._sides["image"].search(vectors(1, reads, True), 20, None, None)
        if count % BATCH != 1 or count < before or len(set(result.ids[0])) < min(20, count):
            raise SystemExit(f"saw {count} items after {before}, and {len(set(result.ids[0]))} results")
        before, reads = count, reads + 1
    print(reads)


def main(arguments: Sequence[str]) -> None:
    """Run one of the processes."""
    task, address, *rest = arguments
    if task == "write":
        _write(address, *map(int, rest))
    else:
        {"read": _read, "create": _create, "list": _list}[task](address)


if __name__ == "__main__":
    main(sys.argv[1:])
