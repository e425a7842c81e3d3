"""Trainings in parallel processes, and the options of the commands that start them."""

from __future__ import annotations

import argparse
import functools
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from benchmarks.experiments.run_folder import RunFolder, load_data
from benchmarks.experiments.run_settings import DataConfig, RunConfig, Training
from benchmarks.experiments.runner import kept, train_one, training_graph
from labelgraph.cli.common import counted
from labelgraph.data import CrossModalData
from labelgraph.report import Result


def parallel_parser(module: str, documentation: str, out: str, seeds: Sequence[int]) -> argparse.ArgumentParser:
    """The options of commands that train in parallel; a command adds its own.

    Args:
        module: Name of the module.
        documentation: Docstring of the module: a sentence, an empty line, and examples.
        out: Name of the new folder in the help text.
        seeds: Default seeds.
    """
    description, _, examples = documentation.partition("\n\n")
    command = argparse.ArgumentParser(
        prog=f"python -m {module}", description=description, epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    command.add_argument("--dataset", metavar="NAME", default="openclipart",
                         help="data set: a name, or the path of a file or folder (default: openclipart)")  # fmt: skip
    command.add_argument("--seeds", metavar="N", type=int, nargs="+", default=list(seeds),
                         help=f"random seeds, one training each (default: {' '.join(map(str, seeds))})")  # fmt: skip
    command.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], dest="settings",
                         help="settings for all trainings, as in benchmarks.run")  # fmt: skip
    command.add_argument("--jobs", metavar="N", type=int, default=default_workers(),
                         help=f"number of parallel trainings (default here: {default_workers()})")  # fmt: skip
    command.add_argument("--out", metavar="DIR", type=Path, help=f"new folder (default: runs/{out}-TIME)")
    command.add_argument("--resume", metavar="DIR", type=Path, help="resume an interrupted run")
    return command


@dataclass(frozen=True)
class Job:
    """One training: some settings with one seed.

    Args:
        config: The settings.
        seed: One of their seeds.
        folder: Folder for the model and the results.
        root: Folder with the splits, which all trainings share.
    """

    config: RunConfig
    seed: int
    folder: RunFolder
    root: RunFolder

    @property
    def path(self) -> Path:
        """The file of the results."""
        return self.folder.results(self.seed)

    def data(self) -> CrossModalData:
        """The data; each process reads them once for the same data settings."""
        key = (self.config.dataset, self.config.data, self.root.path)
        if key not in _READ:
            _READ[key] = load_data(self.config, self.root)
        return _READ[key]


_READ: dict[tuple[str, DataConfig, Path], CrossModalData] = {}


def default_workers() -> int:
    """One training for each core, because small trainings gain little from a second thread; one on a GPU."""
    return 1 if torch.cuda.is_available() else os.cpu_count() or 1


def check_workers(workers: int) -> None:
    """Refuse fewer than one parallel training."""
    if workers < 1:
        raise ValueError(f"'--jobs' must be at least 1 (got {workers})")


def run_jobs(jobs: Iterable[Job], workers: int) -> dict[Path, list[Result]]:
    """Run all trainings, and return their results by path; finished trainings are not repeated."""
    check_workers(workers)
    todo = {job.path: job for job in jobs}
    bar = functools.partial(tqdm, total=len(todo), unit="training", disable=None)
    if workers == 1:
        print(counted(len(todo), "training"), flush=True)
        return {path: run_job(job) for path, job in bar(todo.items())}
    threads = max(1, (os.cpu_count() or 1) // workers)
    print(f"{counted(len(todo), 'training')}, {workers} in parallel with {counted(threads, 'thread')} each", flush=True)
    with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (threads,)) as pool:
        running = [pool.submit(run_job, job) for job in todo.values()]
        for done in bar(as_completed(running)):
            done.result()
    return {path: run_job(job) for path, job in todo.items()}


def run_job(job: Job) -> list[Result]:
    """Train and evaluate, or read the results of an earlier run."""
    return kept(job.path, job.config.eval.protocols, functools.partial(_train, job))


def _train(job: Job) -> list[Any]:
    data = job.data()
    training = Training(data, job.config.train)
    return train_one(training, job.seed, job.config, data, training_graph(job.config, data), job.folder, False)
