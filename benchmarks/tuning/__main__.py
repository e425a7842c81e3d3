"""Tune every method with the same number of random trials, and compare the best of each over seeds.

Examples:
  python -m benchmarks.tuning --trials 8
  python -m benchmarks.tuning --dataset wikipedia --methods algcn expected-relevance --trials 20
  python -m benchmarks.tuning --dataset my-data.npz --set data.split=test-vs-test train.epochs=40
  python -m benchmarks.tuning --resume runs/TUNING    # resume an interrupted search

The settings of a trial are drawn from benchmarks/tuning/space.yaml, and override --set. Trials are trained with the
first seed; the trial with the highest mAP on the validation split is chosen. Ridge regression has as many penalties.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.experiments.environment import environment
from benchmarks.experiments.parallel_options import check_workers, parallel_parser
from labelgraph.cli.common import guarded
from labelgraph.methods.registry import METHODS


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = parallel_parser("benchmarks.tuning", __doc__ or "", "DATASET-tuning", (0, 1, 2, 3, 4))
    command.add_argument("--methods", metavar="NAME", nargs="+", default=list(METHODS), choices=list(METHODS),
                         help=f"some of: {', '.join(METHODS)} (default: all)")  # fmt: skip
    command.add_argument(
        "--trials", metavar="N", type=int, default=8, help="number of trials for each method (default: 8)"
    )
    command.add_argument(
        "--search-seed", metavar="N", type=int, default=0, help="random seed of the drawn settings (default: 0)"
    )
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parser().parse_args(arguments)
    return guarded(lambda: tune(options), "resume the search with --resume and its folder")


def tune(options: argparse.Namespace) -> None:
    """Start or resume a search, and print its tables."""
    check_workers(options.jobs)
    # Here, so that help is fast.
    from benchmarks.experiments.folder_start import working

    with working(options, options.dataset, "tuning") as path:
        _tune(options, path)


def _tune(options: argparse.Namespace, path: Path) -> None:
    from benchmarks.experiments.run_folder import RunFolder, create_plan, keep_splits, load_data, read_plan
    from benchmarks.tuning.trials import Plan, search
    from benchmarks.tuning.tuning_report import write_tuning

    if options.resume:
        plan = read_plan(Plan, path)
        data = load_data(plan.config(plan.methods[0], 0), RunFolder(path))
    else:
        plan = Plan.draw(options.dataset, options.methods, options.seeds, options.settings, options.trials,
                         options.search_seed)  # fmt: skip
        # Before a file is written, so that a wrong name leaves no folder behind.
        configs = [plan.config(method, 0) for method in plan.methods]
        if any(config.train.select == "last" for config in configs):
            raise ValueError("'train.select' must be a split, so that trials can be chosen on it (got 'last')")
        data = load_data(configs[0])
        create_plan(plan, path, environment())
    keep_splits(plan.config(plan.methods[0], 0), data, RunFolder(path))
    print(f"{plan.dataset}: {data}\nfolder {path}", flush=True)
    tables = write_tuning(plan, path, data, search(plan, path, data, options.jobs))
    print(f"\n{tables}\n\nReport: {path / 'report.html'}")


if __name__ == "__main__":
    sys.exit(main())
