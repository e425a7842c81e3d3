"""Measure the stores of a searcher: speed, memory, simultaneous use, and what a killed process leaves.

Examples:
  python -m benchmarks.stores                                        # all figures, about an hour on two cores
  python -m benchmarks.stores --scale 0.1                            # a tenth of the items
  python -m benchmarks.stores vectors killed_lance --report stores.json    # some of the figures
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.experiments.environment import environment
from labelgraph._core.json_files import read_json, write_json
from labelgraph.cli.common import Parser, describe, guarded

ITEMS, CANDIDATES, VECTORS, CODES = 100_000, 20_000, 1_000_000, 5_000_000
WRITERS, READERS, BATCHES, MOMENTS = 4, 4, 40, 20


def _vectors(folder: Path, scale: float) -> Any:
    from benchmarks.stores.engine_speed import measure

    return measure(folder, int(ITEMS * scale), codes=False)


def _codes(folder: Path, scale: float) -> Any:
    from benchmarks.stores.engine_speed import measure

    return measure(folder, int(ITEMS * scale), codes=True)


def _milvus(folder: Path, scale: float) -> Any:
    from benchmarks.stores.engine_speed import measure

    return measure(folder, int(ITEMS * scale), codes=False, milvus=True)


def _candidates(folder: Path, scale: float) -> Any:
    from benchmarks.stores.engine_speed import candidates

    return candidates(folder, int(CANDIDATES * scale))


def _large_vectors(folder: Path, scale: float) -> Any:
    from benchmarks.stores.large_store import measure

    return measure(folder, int(VECTORS * scale), codes=False)


def _large_codes(folder: Path, scale: float) -> Any:
    from benchmarks.stores.large_store import measure

    return measure(folder, int(CODES * scale), codes=True)


def _simultaneous(folder: Path, scale: float) -> Any:
    from benchmarks.stores.many_processes import simultaneous

    return simultaneous(f"lance:{folder / 'simultaneous'}", WRITERS, READERS, max(4, int(BATCHES * scale)))


def _killed_lance(folder: Path, scale: float) -> Any:
    from benchmarks.stores.many_processes import killed

    return killed(f"lance:{folder / 'killed'}", max(4, int(MOMENTS * scale)))


def _killed_milvus(folder: Path, scale: float) -> Any:
    from benchmarks.stores.many_processes import killed

    return killed(f"milvus:{folder / 'killed.db'}", max(4, int(MOMENTS * scale)))


FIGURES: dict[str, Callable[[Path, float], Any]] = {
    "vectors": _vectors, "codes": _codes, "milvus": _milvus, "candidates": _candidates,
    "large_vectors": _large_vectors, "large_codes": _large_codes,
    "simultaneous": _simultaneous, "killed_lance": _killed_lance, "killed_milvus": _killed_milvus,
}  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = Parser(prog="python -m benchmarks.stores", **describe(__doc__ or ""))
    command.add_argument("figures", metavar="FIGURE", nargs="*", choices=[*FIGURES, []],
                         help=f"one of: {', '.join(FIGURES)} (default: all)")  # fmt: skip
    command.add_argument("--scale", metavar="X", type=float, default=1.0, help="share of the items (default: 1)")
    command.add_argument("--report", metavar="FILE", type=Path, help="JSON file for the results; figures that are not "
                         "measured again stay in it")  # fmt: skip
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    command = parser()
    options = command.parse_args(arguments)
    if not 0 < options.scale <= 1:
        command.error(f"'--scale' must be in (0, 1] (got {options.scale})")
    return guarded(lambda: _measure(options), "run the command again to start over")


def _measure(options: argparse.Namespace) -> None:
    from labelgraph.report import markdown_table

    report = read_json(options.report) if options.report and options.report.exists() else {}
    for name in options.figures or FIGURES:
        with tempfile.TemporaryDirectory(prefix="labelgraph-stores-") as folder:
            figures = FIGURES[name](Path(folder), options.scale)
        report[name] = {"environment": environment(), "scale": options.scale, "figures": figures}
        if options.report:
            write_json(options.report, report)
        if name in ("vectors", "codes", "milvus"):
            shown = ("index", "kind", "ratio", "single_ratio", "filtered_ratio", "recall")
            rows = [[f"{each[key]:.3g}" if isinstance(each[key], float) else each[key] for key in shown]
                    for each in figures]  # fmt: skip
            print(markdown_table(shown, rows))
        else:
            print(f"{name}: {figures}")


if __name__ == "__main__":
    sys.exit(main())
