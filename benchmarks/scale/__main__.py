"""Measure time and memory of each command, from a memory-mapped folder of a million items to search results.

Examples:
  python -m benchmarks.scale                                       # a million items, in a temporary folder
  python -m benchmarks.scale --items 100000 --method agah
  python -m benchmarks.scale --report benchmarks/results/scale.json
  python -m benchmarks.scale tags --report benchmarks/results/scale-tags.json     # with 100,000 labels
  python -m benchmarks.scale tags --items 100000 --labels 10000 --without-training

The command writes a synthetic folder (512 image features, bags of words, labels) and runs `labelgraph train`, `index`
and `search` on it, each in its own process. With `tags`, the items have many sparse labels, and the label graphs and
all measures are timed too. It needs Linux, which reports the memory of a process.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.experiments.environment import environment
from benchmarks.scale import tag_steps
from benchmarks.scale.steps import SETTINGS, make, measure
from labelgraph._core.json_files import write_json
from labelgraph.cli.common import Parser, describe, guarded

KINDS_OF_DATA = ("commands", "tags")
LABELS = 100_000


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = Parser(prog="python -m benchmarks.scale", **describe(__doc__ or ""))
    command.add_argument("kind", nargs="?", choices=KINDS_OF_DATA, default=KINDS_OF_DATA[0], metavar="KIND",
                         help="commands, with 24 labels (the default), or tags, with many labels")  # fmt: skip
    command.add_argument("--labels", metavar="C", type=int, help="number of labels of tags (default: 100,000)")
    command.add_argument("--without-training", action="store_true", help="of tags, only the data, graphs and measures")
    command.add_argument(
        "--items", metavar="N", type=int, default=1_000_000, help="number of items (default: 1,000,000)"
    )
    command.add_argument("--out", metavar="DIR", type=Path,
                         help="new folder for data, model and index (default: a temporary folder, which is "
                         "deleted at the end)")  # fmt: skip
    command.add_argument("--method", metavar="NAME",
                         help=f"one of: {', '.join(SETTINGS)} (default: algcn); with tags, one of: "
                         f"{', '.join(tag_steps.METHODS)} (default: expected-relevance)")  # fmt: skip
    command.add_argument("--threads", metavar="N", type=int, default=2, help="threads of torch (default: 2)")
    command.add_argument("--report", metavar="FILE", type=Path, help="JSON file for the results")
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    command = parser()
    options = command.parse_args(arguments)
    if options.items < 100:
        command.error(f"'--items' must be at least 100 (got {options.items})")
    if options.kind != "tags" and (options.labels is not None or options.without_training):
        command.error("'--labels' and '--without-training' are for tags (got commands)")
    able = list(tag_steps.METHODS if options.kind == "tags" else SETTINGS)
    options.method = options.method or able[0]
    if options.method not in able:
        command.error(f"'--method' must be one of {', '.join(able)} (got {options.method})")
    if options.out is not None and options.out.exists():
        command.error(f"'--out' must be a new folder (got {options.out})")
    return guarded(lambda: _measure(options), "run the command again to start over")


def _measure(options: argparse.Namespace) -> None:
    folder = options.out or Path(tempfile.mkdtemp(prefix="labelgraph-scale-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        report = _report(folder, options)
    finally:
        if options.out is None:
            shutil.rmtree(folder)
    print(table(report))
    if options.report:
        write_json(options.report, report)


def _report(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Write the data and run all commands."""
    if options.kind == "tags":
        return _tags_report(folder, options)
    from benchmarks.synthetic.write import shown_progress  # Here, so that help is fast.

    started = time.perf_counter()
    with shown_progress() as tell:
        make(folder, options.items, tell)
    seconds = time.perf_counter() - started
    size = sum(path.stat().st_size for path in (folder / "data").rglob("*.*"))
    return {
        "environment": {**environment(), "threads": options.threads},
        "items": options.items,
        "data_bytes": size,
        "making_seconds": seconds,
        "steps": _reported(measure(folder, options.method, options.threads)),
    }


def _tags_report(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Write the data with many labels, and run all steps."""
    labels = options.labels or LABELS
    method = None if options.without_training else options.method
    steps = _reported(tag_steps.measure(folder, options.items, labels, options.threads, method))
    return {
        "environment": {**environment(), "threads": options.threads},
        "items": options.items,
        "labels": labels,
        "data_bytes": sum(path.stat().st_size for path in (folder / "data").rglob("*.*")),
        "steps": steps,
    }


def _reported(steps: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    done = []
    for step in steps:
        _say(f"\n{step['name']}: {step['seconds']:.1f} s")
        done.append(step)
    _say("\n")
    return done


def _say(text: str) -> None:
    print(text, end="", file=sys.stderr, flush=True)


def table(report: dict[str, Any]) -> str:
    """Return a table of the time and memory of each command."""
    from labelgraph.report import markdown_table  # Here, so that help is fast.

    rows = [
        [step["name"], f"{step['seconds']:.1f} s", *(f"{step[kind] / 1e6:,.0f} MB" for kind in KINDS)]
        for step in report["steps"]
    ]
    total = sum(step["seconds"] for step in report["steps"])
    size = f"{report['items']:,} items, {report['data_bytes'] / 1e6:,.0f} MB on disk"
    head = [size, "time", "peak memory", "own memory", "mapped files"]
    return markdown_table(head, [*rows, ["all commands", f"{total:.1f} s", "", "", ""]])


KINDS = ("peak_bytes", "anonymous_bytes", "mapped_bytes")


if __name__ == "__main__":
    sys.exit(main())
