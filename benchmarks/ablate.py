"""Change one part of a method at a time, and tell what each is worth: hops, adjacency, threshold, embedding.

Examples:
  python -m benchmarks.ablate --method algcn
  python -m benchmarks.ablate --method dagnn --over hops adjacency --seeds 0 1 2 3 4
  python -m benchmarks.ablate --method algcn --set train.epochs=12 model.hidden_channels=512
  python -m benchmarks.ablate --resume runs/ABLATION    # go on with an interrupted one
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch_geometric.data import Data
from tqdm import tqdm

from benchmarks.ablation_report import FACTORS, Variation, write_ablation
from benchmarks.config import RunConfig, resolve
from benchmarks.data import keep_splits, load_data
from benchmarks.environment import environment
from benchmarks.run_folder import RunFolder, write_text
from benchmarks.runner import kept, train_one, training_graph
from benchmarks.trainings import Training
from labelgraph.cli.errors import guarded
from labelgraph.data import CrossModalData
from labelgraph.methods import METHODS, LabelGraphMethod

ABLE = [name for name, method in METHODS.items() if issubclass(method, LabelGraphMethod)]
MARKER = "ablation.txt"


@dataclass(frozen=True)
class Job:
    """One training: a seed of the method with one setting changed."""

    config: RunConfig
    path: Path
    seed: int


def parser() -> argparse.ArgumentParser:
    """The command line."""
    description, _, examples = (__doc__ or "").partition("\n\n")
    command = argparse.ArgumentParser(
        prog="python -m benchmarks.ablate",
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--method", metavar="NAME", default="algcn", choices=ABLE,
                         help=f"one of: {', '.join(ABLE)} (default: algcn)")  # fmt: skip
    command.add_argument("--dataset", metavar="NAME", default="openclipart",
                         help="a name, or the path of a .npz file (default: openclipart)")  # fmt: skip
    command.add_argument("--over", metavar="FACTOR", nargs="+", default=list(FACTORS), choices=list(FACTORS),
                         help=f"what to change: {', '.join(FACTORS)} (default: all)")  # fmt: skip
    command.add_argument("--seeds", metavar="N", type=int, nargs="+", default=[0, 1, 2],
                         help="trainings of each setting (default: 0 1 2)")  # fmt: skip
    command.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], dest="settings",
                         help="settings for all trainings, as of benchmarks.run")  # fmt: skip
    command.add_argument("--jobs", metavar="N", type=int, default=_default_jobs(),
                         help=f"trainings at a time, sharing the cores (here: {_default_jobs()})")  # fmt: skip
    command.add_argument(
        "--out", metavar="DIR", type=Path, help="new folder (default: runs/DATASET-METHOD-ablation-TIME)"
    )
    command.add_argument("--resume", metavar="DIR", type=Path, help="go on with an interrupted ablation")
    return command


def _default_jobs() -> int:
    """One a core: small trainings gain little from a second thread. On a GPU one at a time."""
    return 1 if torch.cuda.is_available() else os.cpu_count() or 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit status."""
    options = parser().parse_args(arguments)
    return guarded(lambda: ablate(*_begin(options), options.jobs), "go on with --resume and the folder")


def _begin(options: argparse.Namespace) -> tuple[RunConfig, list[str], RunFolder]:
    """The settings of a new ablation, or of one to go on with."""
    if options.resume:
        folder = RunFolder(options.resume)
        return folder.config(), (options.resume / MARKER).read_text(encoding="utf-8").split(), folder
    base = resolve(options.method, options.dataset, options.seeds, None, options.settings)
    if base.data.incomplete:
        raise ValueError(f"'data.incomplete' must be 0 for an ablation (got {base.data.incomplete})")
    data = load_data(base)  # Before the folder is made, so that a wrong name leaves none behind.
    name = f"{Path(options.dataset).stem}-{options.method}-ablation-{datetime.now():%Y%m%d-%H%M%S}"
    folder = RunFolder(options.out or Path("runs") / name)
    folder.create(base, environment())
    keep_splits(base, data, folder)
    write_text(folder.path / MARKER, "\n".join(options.over) + "\n")
    return base, options.over, folder


def ablate(base: RunConfig, over: Sequence[str], folder: RunFolder, jobs: int) -> None:
    """Train every setting with every seed, and write tables and plot; what is done already is kept."""
    data = load_data(base, folder)
    print(f"{base.method} on {base.dataset}: {data}\nfolder {folder.path}", flush=True)
    variations = list(_variations(base, over))
    todo = {job.path: job for job in _jobs(base, variations, folder)}
    threads = max(1, (os.cpu_count() or 1) // jobs)
    print(f"{len(todo)} trainings, {jobs} at a time with {threads} threads each", flush=True)
    with ProcessPoolExecutor(jobs, get_context("spawn"), torch.set_num_threads, (threads,)) as pool:
        running = [pool.submit(train_job, job) for job in todo.values()]
        for done in tqdm(as_completed(running), total=len(running), unit="training", disable=None):
            done.result()
    results = {job.path: train_job(job) for job in todo.values()}
    measured = [
        replace(v, results=[r for seed in base.seeds for r in results[_place(folder, v, seed)]]) for v in variations
    ]
    write_ablation(folder, base, measured)


def _variations(base: RunConfig, over: Iterable[str]) -> Iterable[Variation]:
    """One factor at a time; a value that the method has anyway stands for the method as it is."""
    for factor in over:
        name, values = FACTORS[factor]
        own = getattr(base.model, name)
        for value in values if own in values else sorted([*values, own]):
            yield Variation(factor, value, value == own)


def _jobs(base: RunConfig, variations: Iterable[Variation], folder: RunFolder) -> Iterable[Job]:
    for variation in variations:
        changed = {} if variation.is_own else {FACTORS[variation.factor][0]: variation.value}
        config = replace(base, model=replace(base.model, **changed))
        for seed in base.seeds:
            yield Job(config, _place(folder, variation, seed), seed)


def _place(folder: RunFolder, variation: Variation, seed: int) -> Path:
    """Where the results of a training are; all settings of the method itself share one place."""
    name = "own" if variation.is_own else f"{FACTORS[variation.factor][0]}={variation.value}"
    return RunFolder(folder.path / name).results(seed)


def train_job(job: Job) -> list[Any]:
    """Train and evaluate, or read what was done before."""
    return kept(job.path, lambda: _train(job))


def _train(job: Job) -> list[Any]:
    data, graph = _data(job.path.parents[2])
    folder = RunFolder(job.path.parents[1])
    return train_one(Training(data, job.config.train), job.seed, job.config, data, graph, folder, False)


@functools.cache
def _data(path: Path) -> tuple[CrossModalData, Data]:
    """The data of an ablation, read once a process."""
    config = RunFolder(path).config()
    data = load_data(config, RunFolder(path))
    return data, training_graph(config, data)


if __name__ == "__main__":
    sys.exit(main())
