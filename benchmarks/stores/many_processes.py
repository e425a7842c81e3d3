"""Several processes that write and read one store, and a process that is killed while it adds."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from benchmarks.stores.filled import method, vectors
from labelgraph.cli.common import note
from labelgraph.search import Searcher
from labelgraph.search.gallery import gallery_items

BATCH = 50


def begin(task: Callable[..., None], *arguments: object) -> tuple[BaseProcess, Connection]:
    """Start a process that runs a task, whose first argument is its end of a connection."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])  # Once for all processes; it does not import LanceDB or Milvus.
    ours, theirs = context.Pipe()
    process = context.Process(target=task, args=(theirs, *arguments))
    process.start()
    theirs.close()
    return process, ours


def simultaneous(address: str, writers: int, readers: int, batches: int) -> dict[str, Any]:
    """Let writers add and replace batches of items, while readers search, from before the first batch to the last.

    Returns:
        ``items``, the number of items; ``wanted``; ``doubled`` and ``lost`` ids; ``reads``, the number of searches; and
        ``errors``, the number of processes that failed or saw a part of a batch.
    """
    _ask(_create, address)
    started = time.perf_counter()
    reading = [begin(_read, address) for _ in range(readers)]
    for _, connection in reading:
        with suppress(EOFError):  # A reader that fails counts among the errors.
            connection.recv()  # Without waiting, a reader slow to start sees the finished store alone.
    writing = [begin(_write, address, number, batches) for number in range(writers)]
    for process, connection in writing:
        _rest(connection)
        process.join()
    reads = 0
    for process, connection in reading:
        with suppress(BrokenPipeError):
            connection.send("stop")
        reads += sum(_rest(connection))
        process.join()
    errors = sum(process.exitcode != 0 for process, _ in [*writing, *reading])
    ids = [each for each, _ in _ask(_list, address)]
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
    _ask(_create, address)
    draw, results, before = random.Random(seed), [], 1
    for moment in range(moments):
        process, connection = begin(_write, address, moment, 10**9)
        if connection.recv() != "ready":
            raise RuntimeError(f"{address}: the writer {moment} did not start")
        seconds = draw.uniform(0, longest)
        time.sleep(seconds)
        process.kill()
        process.join()
        confirmed = len(_rest(connection))
        entries = _ask(_list, address)
        new = [sides for each, sides in entries if each.startswith(f"{moment}-")]
        whole = len(entries) == before + len(new) and len(new) % BATCH == 0 and set(new) <= {2}
        results.append({"seconds": seconds, "confirmed": confirmed, "batches": len(new) / BATCH,
                        "whole": whole and len(new) >= confirmed * BATCH})  # fmt: skip
        before = len(entries)
        note(f"killed {moment + 1} of {moments} times, after {confirmed} batches")
    return results


def _ask(task: Callable[..., None], address: str) -> Any:
    """Run a process of its own, because Milvus Lite serves one process at a time; return what it sends."""
    process, connection = begin(task, address)
    answer = connection.recv()
    process.join()
    return answer


def _rest(connection: Connection) -> list[Any]:
    """Return all that a process sends until it ends."""
    received = []
    with suppress(EOFError, ConnectionResetError):
        while True:
            received.append(connection.recv())
    return received


def _create(connection: Connection, address: str) -> None:
    """Create a store with one item."""
    searcher = Searcher(method(codes=True), store=address)
    searcher._sides.add(["first"], ["first"], _batch(1, 0), _no_labels(searcher, 1))
    connection.send("created")


def _list(connection: Connection, address: str) -> None:
    """Send the id and the number of sides of all items."""
    connection.send([(each.id, len(each.sides)) for each in gallery_items(Searcher.open(address))])


def _batch(number: int, seed: int) -> dict[str, Any]:
    return {"image": vectors(number, seed, True), "text": vectors(number, seed + 1, True)}


def _no_labels(searcher: Searcher, number: int) -> Any:
    return searcher._check_labels(None, number)


def _write(connection: Connection, address: str, writer: int, batches: int) -> None:
    """Add batches, and replace each third one by an upsert; send the number of each batch."""
    searcher = Searcher.open(address)
    connection.send("ready")
    for batch in range(batches):
        ids = [f"{writer}-{row}" for row in range(batch * BATCH, (batch + 1) * BATCH)]
        items = ids, ids, _batch(BATCH, batch), _no_labels(searcher, BATCH)
        searcher._sides.add(*items)
        connection.send(batch)
        if batch % 3 == 2:
            searcher._sides.upsert(*items)


def _read(connection: Connection, address: str) -> None:
    """Search until a message comes, and send the number of searches; the items must be whole batches, ever more."""
    searcher, before, reads = Searcher.open(address), 0, 0
    connection.send("ready")
    while not (reads and connection.poll()):
        count = len(searcher._sides["image"])
        result = searcher._sides["image"].search(vectors(1, reads, True), 20, None, None)
        if count % BATCH != 1 or count < before or len(set(result.ids[0])) < min(20, count):
            raise SystemExit(f"saw {count} items after {before}, and {len(set(result.ids[0]))} results")
        before, reads = count, reads + 1
    connection.send(reads)
