"""When does a label graph help? Train with few items, missing labels and unseen labels, with and without a graph.

Examples:
  python -m benchmarks.regimes --dataset openclipart-keywords
  python -m benchmarks.regimes --regimes all 300 unseen --methods expected-relevance --seeds 0 1 2
  python -m benchmarks.regimes --resume runs/REGIMES    # resume an interrupted run
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.experiments.parallel_options import check_workers, parallel_parser
from labelgraph.cli.common import guarded

# The settings of the data in each regime; ``unseen`` also sets the number of unseen labels.
REGIMES: dict[str, dict[str, float]] = {
    "all": {},
    "1000": {"train_items": 1000},
    "300": {"train_items": 300},
    "100": {"train_items": 100},
    "half-missing": {"drop_labels": 0.5},
    "most-missing": {"drop_labels": 0.75},
    "unseen": {},
}
METHODS = ("algcn", "expected-relevance")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = parallel_parser("benchmarks.regimes", __doc__ or "", "DATASET-regimes", (0, 1, 2, 3, 4))
    command.set_defaults(dataset="openclipart-keywords")
    command.add_argument("--methods", metavar="NAME", nargs="+", default=list(METHODS), choices=list(METHODS),
                         help=f"some of: {', '.join(METHODS)} (default: both)")  # fmt: skip
    command.add_argument("--regimes", metavar="NAME", nargs="+", default=list(REGIMES), choices=list(REGIMES),
                         help=f"some of: {', '.join(REGIMES)}; numbers are training items (default: all "
                              f"{len(REGIMES)})")  # fmt: skip
    command.add_argument("--unseen", metavar="N", type=int,
                         help="number of unseen labels (default: a sixth of the labels)")  # fmt: skip
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parser().parse_args(arguments)
    return guarded(lambda: _measure(options), "resume the run with --resume and its folder")


def _measure(options: argparse.Namespace) -> None:
    check_workers(options.jobs)
    # Here, so that help is fast.
    from benchmarks.experiments.folder_start import working
    from benchmarks.experiments.regime_trainings import begin_regimes, measure_regimes
    from benchmarks.experiments.run_folder import RunFolder

    with working(options, options.dataset, "regimes") as path:
        measure_regimes(begin_regimes(options, RunFolder(path)), RunFolder(path), options.jobs)


if __name__ == "__main__":
    sys.exit(main())
