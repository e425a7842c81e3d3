"""Trainings in parallel processes."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from benchmarks.experiments.parallel_options import check_workers
from benchmarks.experiments.run_folder import RunFolder, load_data
from benchmarks.experiments.run_settings import DataConfig, RunConfig, Training, training_data
from benchmarks.experiments.runner import run_graph, saved_or_new, train_one
from labelgraph.cli.common import counted
from labelgraph.data import CrossModalData
from labelgraph.report import Result


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
    """One training for each core, because a second thread speeds up small trainings little; one training on a GPU."""
    return 1 if torch.cuda.is_available() else os.cpu_count() or 1


def run_jobs(jobs: Iterable[Job], workers: int | None = None) -> dict[Path, list[Result]]:
    """Run all trainings, and return their results by path; finished trainings are not repeated.

    Args:
        jobs: The trainings.
        workers: Number of parallel trainings. Defaults to `default_workers`.
    """
    check_workers(workers)
    workers = workers or default_workers()
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
    return saved_or_new(job.path, job.config.eval.protocols, functools.partial(_train, job))


def _train(job: Job) -> list[Any]:
    data = job.data()
    training = Training(training_data(job.config, data), job.config.train)
    return train_one(training, job.seed, job.config, data, run_graph(job.config, data), job.folder, False)
