"""Trainings with hash codes of several lengths."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from benchmarks.experiments.bits_report import write_bits
from benchmarks.experiments.environment import environment
from benchmarks.experiments.jobs import Job, run_jobs
from benchmarks.experiments.run_folder import RunFolder, create_plan, keep_splits, load_data, read_plan
from benchmarks.experiments.run_settings import RunConfig, resolve_all
from labelgraph.methods import METHODS
from labelgraph.report import Result


@dataclass(frozen=True)
class Plan:
    """The arguments of the command."""

    dataset: str
    methods: list[str]
    bits: list[int]
    seeds: list[int]
    settings: list[str]

    def configs(self) -> dict[tuple[str, int | None], RunConfig]:
        """The settings of each method and length of codes, and of no codes if the method does not need them."""
        configs = {}
        for config in resolve_all(self.methods, self.dataset, self.seeds, None, self.settings):
            real: list[int | None] = [] if METHODS[config.method].Config().bits else [None]
            for bits in [*self.bits, *real]:
                configs[config.method, bits] = replace(config, model=replace(config.model, bits=bits))
        return configs


def begin_bits(options: argparse.Namespace, folder: RunFolder) -> Plan:
    """The plan of a new run, or of a run that is resumed."""
    if options.resume:
        return read_plan(Plan, folder.path)
    plan = Plan(options.dataset, options.methods, options.bits, options.seeds, options.settings)
    first = next(iter(plan.configs().values()))
    load_data(first)  # Before a file is written, so that a wrong name leaves no folder behind.
    create_plan(plan, folder.path, environment())
    return plan


def measure(plan: Plan, folder: RunFolder, workers: int | None) -> None:
    """Train all lengths with all seeds, and write the report; finished trainings are kept."""
    configs = plan.configs()
    first = next(iter(configs.values()))
    data = load_data(first, folder)
    keep_splits(first, data, folder)
    print(f"{plan.dataset}: {data}\nfolder {folder.path}", flush=True)
    results = run_jobs(_jobs(configs, folder), workers)
    measured: dict[tuple[str, int | None], list[Result]] = {}
    for job in _jobs(configs, folder):
        measured.setdefault((job.config.method, job.config.model.bits), []).extend(results[job.path])
    write_bits(folder, first, data, measured)


def _jobs(configs: Mapping[tuple[str, int | None], RunConfig], folder: RunFolder) -> Iterator[Job]:
    for (name, bits), config in configs.items():
        place = RunFolder(folder.path / name / (f"bits={bits}" if bits else "without-codes"))
        for seed in config.seeds:
            yield Job(config, seed, place, folder)
