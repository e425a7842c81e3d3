"""Measure the speed of the library against plain baselines, and write the results and the machine as JSON.

Examples:
  python -m benchmarks.speed                       # all cases, about fifteen minutes
  python -m benchmarks.speed ranking propagation   # some cases
  python -m benchmarks.speed training_step         # all cases whose names begin with this
  python -m benchmarks.speed search --out search.json --plot search.png
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks.experiments.environment import environment
from benchmarks.speed.speed_cases import CASES, alone
from labelgraph._core.json_files import write_json
from labelgraph.cli.common import Parser, describe, guarded


def main() -> int:
    """Run the command and return its exit status."""
    command = Parser(prog="python -m benchmarks.speed", **describe(__doc__ or ""))
    command.add_argument("cases", nargs="*", metavar="CASE", help=f"some of: {', '.join(CASES)} (default: all)")
    command.add_argument("--threads", type=int, default=2, metavar="N", help="threads of torch (default: 2)")
    command.add_argument("--out", type=Path, metavar="FILE", help="JSON file for the results")
    command.add_argument("--plot", type=Path, metavar="FILE", help="plot of recall and time of search_approximate")
    options = command.parse_args()
    if options.plot and not chosen("search_approximate", options.cases):
        command.error("'--plot' needs the case search_approximate")
    unknown = [begin for begin in options.cases if not any(name.startswith(begin) for name in CASES)]
    if unknown:
        command.error(f"unknown case {', '.join(unknown)}; expected some of {', '.join(CASES)}")
    return guarded(lambda: _measure(options), "run the command again to start over")


def _measure(options: argparse.Namespace) -> None:
    figures: list[dict[str, Any]] = []
    for name in CASES:
        if not chosen(name, options.cases):
            continue
        print(f"measuring {name} ...", flush=True)
        figures += alone(name, options.threads)
    print(table(figures))
    if options.out:
        write_json(options.out, {"environment": environment(), "figures": figures})
    if options.plot:
        from benchmarks.speed.search_speed import draw_recall

        draw_recall(figures, options.plot)


def chosen(name: str, begins: list[str]) -> bool:
    """Return whether a case is selected."""
    return not begins or name.startswith(tuple(begins))


def table(figures: list[dict[str, Any]]) -> str:
    """Return a table of medians, and of ratios with their quartiles."""
    from benchmarks.speed.search_speed import RECALL
    from labelgraph.report import markdown_table

    rows = []
    for figure in figures:
        ratio, rival = figure.get("ratio"), figure.get("rival_seconds")
        quartiles = f" ({ratio['lower']:.3f} to {ratio['upper']:.3f})" if ratio and "lower" in ratio else ""
        rows.append([
            figure["name"],
            f"{figure['seconds']['median']:.4f} s",
            f"{rival['median']:.4f} s" if rival else "-",
            f"{ratio['median']:.3f}{quartiles}" if ratio else "-",
            f"{figure['bytes'] / 1e6:.0f} MB" if "bytes" in figure else "-",
            f"{figure[RECALL]:.3f}" if RECALL in figure else "-",
        ])  # fmt: skip
    return markdown_table(["case", "labelgraph", "baseline", "labelgraph / baseline", "memory", "recall"], rows)


if __name__ == "__main__":
    sys.exit(main())
