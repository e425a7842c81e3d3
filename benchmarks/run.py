"""Train methods, evaluate them and simple baselines, and write a run folder.

Examples:
  python -m benchmarks.run --method algcn
  python -m benchmarks.run --method all            # every method and baseline in one table
  python -m benchmarks.run --method dagnn --set data.incomplete=0.8    # most items lack one side
  python -m benchmarks.run --method algcn --seeds 0 1 2 3 4 --set model.num_layers=2 train.lr=1e-4
  python -m benchmarks.run --method algcn --dataset my-data.npz --config my-settings.yaml --out runs/mine
  python -m benchmarks.run --resume runs/mine      # resume an interrupted run
  python -m benchmarks.run --eval runs/mine        # evaluate its saved models again

--list-settings lists the settings for --set and --config.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.datasets.known_sets import KNOWN_SETS
from labelgraph._core.names import check_name
from labelgraph.cli.common import Parser, describe, guarded
from labelgraph.data.named_sets import DATASETS, check_dataset
from labelgraph.methods.registry import METHODS, method_facts
from labelgraph.train.loggers import LOGGERS, check_logger

if TYPE_CHECKING:
    from benchmarks.experiments.run_folder import RunFolder
    from benchmarks.experiments.run_settings import RunConfig
    from labelgraph.data import CrossModalData


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = Parser(prog="python -m benchmarks.run", **describe(__doc__ or ""))
    task = command.add_argument_group("methods and data")
    task.add_argument("--method", metavar="NAME", nargs="+", dest="methods",
                      help=f"some of: {', '.join(METHODS)}; or 'all'")  # fmt: skip
    task.add_argument("--dataset", metavar="NAME", default="openclipart",
                      help=f"one of: {', '.join([*DATASETS, *KNOWN_SETS])} (see benchmarks/README.md for the "
                      "files); or the path of a file or folder (default: openclipart)")  # fmt: skip
    task.add_argument("--seeds", metavar="N", type=int, nargs="+", default=[0, 1, 2],
                      help="random seeds, one training for each (default: 0 1 2)")  # fmt: skip
    _add_training(command.add_argument_group("training"))
    folders = command.add_argument_group("run folders")
    folders.add_argument("--out", metavar="DIR", type=Path,
                         help="new folder for the run (default: runs/DATASET-METHOD-TIME)")  # fmt: skip
    folders.add_argument("--resume", metavar="RUN", type=Path, help="resume an interrupted run")
    folders.add_argument("--eval", metavar="RUN", type=Path, help="evaluate the saved models of a run again")
    command.add_argument(
        "--list-settings", action="store_true", help="list the settings that the run would use, and stop"
    )
    return command


def _add_training(how: argparse._ArgumentGroup) -> None:
    how.add_argument("--epochs", metavar="N", type=int, help="maximum number of epochs")
    how.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], dest="settings",
                     help="change settings, such as model.alpha=0.3 train.batch_size=256")  # fmt: skip
    how.add_argument("--config", metavar="FILE", type=Path, help="YAML file with settings; --set overrides it")
    how.add_argument("--select", choices=["validation", "test", "last"],
                     help="split that the best epoch is chosen on (default: validation); 'test' repeats the "
                     "published procedure, and tables mark its numbers; 'last' uses the last epoch")  # fmt: skip
    how.add_argument("--device", metavar="NAME", help="auto, cpu, cuda or mps (default: auto)")
    how.add_argument("--devices", metavar="N", type=int, help="number of devices of a machine, for a run of one "
                     "method that torchrun starts, with -m benchmarks.run (default: 1)")  # fmt: skip
    how.add_argument("--precision", metavar="NAME", help="32-true, bf16-mixed, ... (default: 32-true)")
    how.add_argument("--logger", choices=LOGGERS, help="log the loss terms, mAP and learning rates of each epoch in "
                     "seed-N/logs of the run folder (default: none); give it again with --resume")  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parser().parse_args(arguments)
    return guarded(lambda: _dispatch(options), "resume the run with --resume and its folder")


def _dispatch(options: argparse.Namespace) -> None:
    _check_names(options)
    # Here, so that help and wrong names are answered without importing Lightning and scikit-learn.
    from benchmarks.experiments.comparison import Comparison, evaluate_comparison
    from benchmarks.experiments.run_folder import RunFolder
    from benchmarks.experiments.run_report import tables
    from benchmarks.experiments.run_settings import describe, resolve_all
    from benchmarks.experiments.runner import evaluate_run

    # In the order of the registry, so that all tables have the same order.
    order = [*METHODS, "all"]
    methods = list(METHODS) if options.methods == ["all"] else sorted(options.methods or [], key=order.index)
    if options.list_settings:
        settings = _settings(options, methods)
        for config in resolve_all(methods, options.dataset, options.seeds, options.config, settings):
            print(f"Settings of {config.method} on {config.dataset}:\n{describe(config)}")
        return
    path = options.eval or options.resume
    several = Comparison(path).marker.is_file() if path else len(methods) > 1
    if options.eval:
        if several:
            print(tables(evaluate_comparison(Comparison(path)), Comparison(path).configs()[0]))
        else:
            print(tables(evaluate_run(RunFolder(path)), RunFolder(path).config()))
        if (path / "report.md").is_file():
            RunFolder(path).write_page()
        return
    if options.resume:
        configs = Comparison(path).configs() if several else [RunFolder(path).config()]
    else:
        configs = resolve_all(methods, options.dataset, options.seeds, options.config, _settings(options, methods))
    _run(options, configs, several)


def _check_names(options: argparse.Namespace) -> None:
    """Refuse unknown methods and data sets, and a logger that is not installed."""
    if options.logger:
        check_logger(options.logger, "--logger")
    if options.resume or options.eval:
        return
    if not options.methods:
        raise ValueError(f"'--method' must be given: some of {', '.join(METHODS)}, or 'all'")
    for name in options.methods:
        check_name("--method", name, [*METHODS, "all"])
    if options.dataset not in KNOWN_SETS and not options.list_settings:
        check_dataset(options.dataset)


def _checked_data(configs: Sequence[RunConfig], folder: RunFolder | None) -> CrossModalData:
    """Load the data of a run, on which every method can train."""
    from benchmarks.experiments.run_folder import load_data
    from benchmarks.experiments.run_settings import training_data
    from labelgraph.train import check_device
    from labelgraph.train.launch import check_processes

    first = configs[0]
    for config in configs:
        if config.data != first.data:
            raise ValueError(
                "the settings 'data' must be the same for all methods of a table (got different ones for "
                f"{config.method} and {first.method})"
            )
    data = load_data(first, folder)
    for config in configs:
        check_device(config.train.device)
        check_processes(config.train)
        training_data(config, data)
    return data


def _run(options: argparse.Namespace, configs: Sequence[RunConfig], several: bool) -> None:
    """Start or resume a run, and print its tables."""
    from benchmarks.experiments.comparison import Comparison, compare
    from benchmarks.experiments.environment import environment
    from benchmarks.experiments.folder_start import working
    from benchmarks.experiments.run_folder import RunFolder
    from benchmarks.experiments.run_report import tables
    from benchmarks.experiments.runner import run
    from labelgraph.train.launch import by_first, is_first, join_processes, num_processes

    first = configs[0]
    if several and num_processes() > 1:
        raise ValueError("'--method' must be one method in a run on several devices (got several methods)")
    # Before the folder is created, so that a wrong name leaves no folder behind.
    data = _checked_data(configs, RunFolder(options.resume) if options.resume else None)
    join_processes()
    with ExitStack() as stack:
        what = "all" if several else first.method
        path = by_first(lambda: stack.enter_context(working(options, first.dataset, what)))
        if not is_first():
            run(first, data, RunFolder(path))
            return
        print(f"{', '.join(c.method for c in configs)}, seeds {' '.join(map(str, first.seeds))}, run folder {path}")
        if several:
            if not options.resume:
                Comparison(path).create(configs, environment())
            results = compare(Comparison(path), data, logger=options.logger)
        else:
            if not options.resume:
                RunFolder(path).create(first, environment())
            results = run(first, data, RunFolder(path), logger=options.logger)
        print(f"\n{tables(results, first)}\n\nReport: {path / 'report.html'}")


def _settings(options: argparse.Namespace, methods: Sequence[str]) -> list[str]:
    """The settings of options such as ``--epochs``, and of ``--set``, which overrides them."""
    names = ("select", "device", "devices", "precision")
    own = {name: value for name in names if (value := getattr(options, name)) is not None}
    stages = ["train", "stage2"] if any(method_facts(method).generates for method in methods) else ["train"]
    settings = [f"{stage}.{name}={value}" for stage in stages for name, value in own.items()]
    if options.epochs is not None:
        settings.append(f"train.epochs={options.epochs}")
    return [*settings, *options.settings]


if __name__ == "__main__":
    sys.exit(main())
