"""Change one part of a method at a time, and measure its effect: hops, adjacency, threshold, label embedding.

Examples:
  python -m benchmarks.ablate --method algcn
  python -m benchmarks.ablate --method dagnn --over hops adjacency --seeds 0 1 2 3 4
  python -m benchmarks.ablate --method algcn --set train.epochs=12 model.hidden_channels=512
  python -m benchmarks.ablate --resume runs/ABLATION    # resume an interrupted run
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.experiments.parallel_options import FACTORS, check_workers, parallel_parser
from labelgraph.cli.common import guarded
from labelgraph.methods.configs import LabelGraphConfig
from labelgraph.methods.registry import METHODS, method_facts

ABLE = [name for name in METHODS if issubclass(method_facts(name).Config, LabelGraphConfig)]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = parallel_parser("benchmarks.ablate", __doc__ or "", "DATASET-METHOD-ablation", (0, 1, 2))
    command.add_argument("--method", metavar="NAME", default="algcn", choices=ABLE,
                         help=f"one of: {', '.join(ABLE)} (default: algcn)")  # fmt: skip
    command.add_argument("--over", metavar="FACTOR", nargs="+", default=list(FACTORS), choices=list(FACTORS),
                         help=f"parts to change: {', '.join(FACTORS)} (default: all)")  # fmt: skip
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parser().parse_args(arguments)
    return guarded(lambda: _ablate(options), "resume the run with --resume and its folder")


def _ablate(options: argparse.Namespace) -> None:
    check_workers(options.jobs)
    # Here, so that help is fast.
    from benchmarks.experiments.ablation import ablate, begin_ablation
    from benchmarks.experiments.folder_start import working
    from benchmarks.experiments.run_folder import RunFolder

    with working(options, options.dataset, f"{options.method}-ablation") as path:
        ablate(*begin_ablation(options, RunFolder(path)), RunFolder(path), options.jobs)


if __name__ == "__main__":
    sys.exit(main())
