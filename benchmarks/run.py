"""Train a method, evaluate it beside simple baselines, and write a run folder.

Examples:
  python -m benchmarks.run --method algcn
  python -m benchmarks.run --method algcn --seeds 0 1 2 3 4 --set model.num_layers=2 train.lr=1e-4
  python -m benchmarks.run --method algcn --dataset my-data.npz --config my-settings.yaml --out runs/mine
  python -m benchmarks.run --resume runs/mine      # go on with an interrupted run
  python -m benchmarks.run --eval runs/mine        # evaluate its saved models again
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from labelgraph.data import DATASETS
from labelgraph.methods import METHODS

DEFAULT_METHOD = "algcn"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    description, _, examples = (__doc__ or "").partition("\n\n")
    command = argparse.ArgumentParser(
        prog="python -m benchmarks.run",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.epilog = examples + "\nSettings for --set and --config are listed by --list-settings."
    what = command.add_argument_group("what to run")
    what.add_argument("--method", metavar="NAME", default=DEFAULT_METHOD,
                      help=f"one of: {', '.join(METHODS)} (default: {DEFAULT_METHOD})")  # fmt: skip
    what.add_argument("--dataset", metavar="NAME", default="openclipart",
                      help=f"one of: {', '.join(DATASETS)}; or the path of a .npz file "
                      "(default: openclipart)")  # fmt: skip
    what.add_argument("--seeds", metavar="N", type=int, nargs="+", default=[0, 1, 2],
                      help="one training each; the table has mean and deviation (default: 0 1 2)")  # fmt: skip
    how = command.add_argument_group("how")
    how.add_argument("--epochs", metavar="N", type=int, help="passes over the training items at most")
    how.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], dest="settings",
                     help="change settings, such as model.alpha=0.3 train.batch_size=256")  # fmt: skip
    how.add_argument("--config", metavar="FILE", type=Path, help="YAML with settings; --set goes over it")
    how.add_argument("--select", choices=["validation", "test"],
                     help="split to choose the best epoch on (default: validation); 'test' repeats the "
                     "published procedure, and its numbers are marked so")  # fmt: skip
    how.add_argument("--device", metavar="NAME", help="auto, cpu, cuda or mps (default: auto)")
    how.add_argument("--precision", metavar="NAME", help="32-true, bf16-mixed, ... (default: 32-true)")
    folders = command.add_argument_group("run folders")
    folders.add_argument("--out", metavar="DIR", type=Path,
                         help="new folder for the run (default: runs/DATASET-METHOD-TIME)")  # fmt: skip
    folders.add_argument("--resume", metavar="RUN", type=Path, help="go on with an interrupted run")
    folders.add_argument("--eval", metavar="RUN", type=Path, help="evaluate the saved models of a run again")
    command.add_argument("--list-settings", action="store_true", help="list all settings of the method, and stop")
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit status."""
    command = parser()
    options = command.parse_args(arguments)
    try:
        return _dispatch(options)
    except (ValueError, OSError, RuntimeError) as error:
        if os.environ.get("LABELGRAPH_TRACEBACK"):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; go on with --resume and the run's folder", file=sys.stderr)
        return 130


def _dispatch(options: argparse.Namespace) -> int:
    # Here, so that --help answers without loading Lightning and scikit-learn.
    from benchmarks.config import describe, resolve
    from benchmarks.environment import environment
    from benchmarks.run_folder import RunFolder
    from benchmarks.runner import evaluate_run, run
    from benchmarks.tables import tables
    from labelgraph.data import load_dataset
    from labelgraph.train import check_device

    if options.list_settings:
        print(f"Settings of {options.method}, with their defaults:\n{describe(options.method)}")
        return 0
    if options.eval:
        folder = RunFolder(options.eval)
        print(tables(evaluate_run(folder), folder.config()))
        return 0
    if options.resume:
        folder = RunFolder(options.resume)
        config = folder.config()
        data = load_dataset(config.dataset)
    else:
        config = resolve(options.method, options.dataset, options.seeds, options.config, _settings(options))
        # Before the folder is made, so that a wrong name leaves none behind.
        data = load_dataset(config.dataset)
        check_device(config.train.device)
        folder = RunFolder(options.out or _new_folder(options.dataset, options.method))
        folder.create(config, environment())
    print(f"{config.method}, seeds {' '.join(map(str, config.seeds))}, run folder {folder.path}")
    results = run(config, data, folder)
    print(f"\n{tables(results, config)}\n\nReport: {folder.path / 'report.md'}")
    return 0


def _settings(options: argparse.Namespace) -> list[str]:
    """The settings of ``--set``, with those that have options of their own."""
    own = {
        "epochs": options.epochs,
        "select": options.select,
        "device": options.device,
        "precision": options.precision,
    }
    return [*options.settings, *(f"train.{name}={value}" for name, value in own.items() if value is not None)]


def _new_folder(dataset: str, method: str) -> Path:
    return Path("runs") / f"{Path(dataset).stem}-{method}-{datetime.now():%Y%m%d-%H%M%S}"


if __name__ == "__main__":
    sys.exit(main())
