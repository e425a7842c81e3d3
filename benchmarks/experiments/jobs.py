"""Trainings in processes of their own, and the options of the commands that start them."""

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
from labelgraph.data import CrossModalData
from labelgraph.report import Result


def parallel_parser(module: str, documentation: str, out: str, seeds: Sequence[int]) -> argparse.ArgumentParser:
    """A command line of trainings in parallel, to which a command adds what it asks for.

    Args:
        module: Its name.
        documentation: Of the module: a sentence, and examples after an empty line.
        out: How a new folder is called, in words.
        seeds: By default.
    """
    description, _, examples = documentation.partition("\n\n")
    command = argparse.ArgumentParser(
        prog=f"python -m {module}", description=description, epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    command.add_argument("--dataset", metavar="NAME", default="openclipart",
                         help="a name, or the path of a file or folder (default: openclipart)")  # fmt: skip
    command.add_argument("--seeds", metavar="N", type=int, nargs="+", default=list(seeds),
                         help=f"one training each (default: {' '.join(map(str, seeds))})")  # fmt: skip
    command.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], dest="settings",
                         help="settings for all trainings, as of benchmarks.run")  # fmt: skip
    command.add_argument("--jobs", metavar="N", type=int, default=default_workers(),
                         help=f"trainings at a time, sharing the cores (here: {default_workers()})")  # fmt: skip
    command.add_argument("--out", metavar="DIR", type=Path, help=f"new folder (default: runs/{out}-TIME)")
    command.add_argument("--resume", metavar="DIR", type=Path, help="go on with an interrupted run")
    return command


@dataclass(frozen=True)
class Job:
    """One training: a seed of some settings.

    Args:
        config: The settings.
        seed: One of its seeds.
        folder: Where its model and results go.
        root: The folder that holds the splits which all trainings have in common.
    """

    config: RunConfig
    seed: int
    folder: RunFolder
    root: RunFolder

    @property
    def path(self) -> Path:
        """Where its results are."""
        return self.folder.results(self.seed)

    def data(self) -> CrossModalData:
        """The data, read once a process for the same settings of data."""
        key = (self.config.dataset, self.config.data, self.root.path)
        if key not in _READ:
            _READ[key] = load_data(self.config, self.root)
        return _READ[key]


_READ: dict[tuple[str, DataConfig, Path], CrossModalData] = {}


def default_workers() -> int:
    """One a core: small trainings gain little from a second thread. On a GPU one at a time."""
    return 1 if torch.cuda.is_available() else os.cpu_count() or 1


def check_workers(workers: int) -> None:
    """Refuse less than one."""
    if workers < 1:
        raise ValueError(f"'--jobs' must be at least 1 (got {workers})")


def run_jobs(jobs: Iterable[Job], workers: int) -> dict[Path, list[Result]]:
    """Do all trainings, and give their results by path; what is done already is kept."""
    check_workers(workers)
    todo = {job.path: job for job in jobs}
    bar = functools.partial(tqdm, total=len(todo), unit="training", disable=None)
    if workers == 1:
        print(f"{len(todo)} trainings", flush=True)
        return {path: run_job(job) for path, job in bar(todo.items())}
    threads = max(1, (os.cpu_count() or 1) // workers)
    print(f"{len(todo)} trainings, {workers} at a time with {threads} threads each", flush=True)
    with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (threads,)) as pool:
        running = [pool.submit(run_job, job) for job in todo.values()]
        for done in bar(as_completed(running)):
            done.result()
    return {path: run_job(job) for path, job in todo.items()}


def run_job(job: Job) -> list[Result]:
    """Train and evaluate, or read what was done before."""
    return kept(job.path, job.config.eval.protocols, functools.partial(_train, job))


def _train(job: Job) -> list[Any]:
    data = job.data()
    training = Training(data, job.config.train)
    return train_one(training, job.seed, job.config, data, training_graph(job.config, data), job.folder, False)
