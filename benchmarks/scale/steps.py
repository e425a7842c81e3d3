"""The steps of the scale benchmark; each step runs in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.synthetic.generate import SyntheticData
from benchmarks.synthetic.sets import SETS, SyntheticSet

INTERVAL = 0.02  # Seconds between two measurements of a process's memory.
MEMORY = ("VmHWM", "RssAnon", "RssFile", "RssShmem")


@dataclass(frozen=True)
class Finished:
    """Time, memory and output of a process.

    Args:
        seconds: Time from start to end, including imports.
        peak_bytes: Peak memory, including mapped pages of files, as the kernel records it.
        anonymous_bytes: Peak of the process's own memory, measured every 20 ms.
        mapped_bytes: Peak of the mapped pages of files, measured every 20 ms; the kernel drops these pages if memory
            is short.
        output: Standard output.
    """

    seconds: float
    peak_bytes: int
    anonymous_bytes: int
    mapped_bytes: int
    output: str


def run(command: Sequence[str], environment: Mapping[str, str]) -> Finished:
    """Run a command, and measure its time and memory; needs Linux.

    Raises:
        RuntimeError: If the command fails; the message ends with its last errors.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors, env={**os.environ, **environment})
        most = _watch(process)
        seconds = time.perf_counter() - started
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)} failed with {process.returncode}: {errors.read()[-2000:]}")
        return Finished(seconds, most["VmHWM"], most["RssAnon"] + most["RssShmem"], most["RssFile"], output.read())


def _watch(process: subprocess.Popen[bytes]) -> dict[str, int]:
    """Wait for a process, and return its peak memory of each kind.

    The memory is read while the process runs, because the kernel's figures of an ended process include its parent.
    """
    most = dict.fromkeys(MEMORY, 0)
    while process.poll() is None:
        for kind, held in _memory(process.pid).items():
            most[kind] = max(most[kind], held)
        time.sleep(INTERVAL)
    return most


def _memory(pid: int) -> dict[str, int]:
    """Return bytes by kind; empty for a process that has just ended."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    entries = (line.partition(":") for line in lines)
    return {kind: 1024 * int(value.split()[0]) for kind, _, value in entries if kind in MEMORY}


# Image features of the width of usual embeddings, bags of words, and labels as in MIRFlickr.
SPEC = replace(SETS["mirflickr"], image_channels=512, text_channels=512)
QUERIES, NEIGHBOURS = 1_000, 100
SETTINGS = {
    "algcn": ("model.bits=64", "model.hidden_channels=256", "train.batch_size=256", "train.lr=1e-3"),
    "agah": ("model.bits=64", "model.hidden_channels=512", "model.graph_channels=[256,128]", "train.batch_size=256"),
}


def make(folder: Path, items: int, tell: Callable[[int, int], None]) -> None:
    """Write the data in blocks, and a file of queries that are not among the items."""
    from benchmarks.synthetic.write import write_items  # Here, so that help is fast.

    write_items(SPEC, folder / "data", items, 0, tell=tell, about={"purpose": "benchmarks.scale"})
    np.save(folder / "queries.npy", _queries(SPEC))


def _queries(spec: SyntheticSet) -> np.ndarray:
    """Return the image features of rows beyond all items."""
    return SyntheticData(spec).rows(2**40, 2**40 + QUERIES).image


def commands(folder: Path, method: str) -> dict[str, list[str]]:
    """Return the commands by name, in order."""
    data, model, index, queries = (str(folder / name) for name in ("data", "model", "index", "queries.npy"))
    settings = ["--set", *SETTINGS[method]]
    return {
        f"train {method}, 64 bits, 1 epoch":
            ["train", data, "--out", model, "--method", method, "--epochs", "1", *settings, "--quiet", "--json"],
        "index, images and texts": ["index", model, data, "--out", index, "--json"],
        "search, the text of one item": ["search", index, "--data", data, "--text-id", "7", "--json"],
        f"search, {QUERIES:,} images, top {NEIGHBOURS}":
            ["search", index, "--images", queries, "-k", str(NEIGHBOURS), "--json"],
    }  # fmt: skip


def measure(folder: Path, method: str, threads: int) -> Iterator[dict[str, Any]]:
    """Run all commands, and yield the name, command line, time, memory and results of each."""
    environment = {"OMP_NUM_THREADS": str(threads)}
    for name, words in commands(folder, method).items():
        finished = run([sys.executable, "-m", "labelgraph", *words], environment)
        yield {
            "name": name,
            "command": " ".join(["labelgraph", *words]).replace(str(folder), "DIR"),
            **{key: value for key, value in asdict(finished).items() if key != "output"},
            "results": _results(finished, folder),
        }


def _results(finished: Finished, folder: Path) -> dict[str, Any]:
    """Return the numbers and texts of a command's JSON output, and the number of queries and neighbours of a search."""
    answer = json.loads(finished.output.replace(str(folder), "DIR"))
    results: dict[str, Any] = {key: value for key, value in answer.items() if isinstance(value, str | int | float)}
    if "queries" in answer:
        results["neighbours"] = [len(answer["queries"]), len(answer["queries"][0]["neighbours"])]
    return results
