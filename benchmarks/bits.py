"""Train methods with hash codes of several lengths, and compare their mAP with that of no codes.

Examples:
  python -m benchmarks.bits --methods expected-relevance agah
  python -m benchmarks.bits --dataset my-data.npz --bits 16 64 --seeds 0 1 2 3 4 --set data.split=test-vs-test
  python -m benchmarks.bits --resume runs/BITS    # resume an interrupted run
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from benchmarks.experiments.bits_report import write_bits
from benchmarks.experiments.environment import environment
from benchmarks.experiments.jobs import Job, check_workers, parallel_parser, run_jobs
from benchmarks.experiments.run_folder import RunFolder, create_plan, keep_splits, load_data, read_plan
from benchmarks.experiments.run_settings import RunConfig, resolve_all
from labelgraph.cli.common import guarded
from labelgraph.methods import METHODS
from labelgraph.report import Result

BITS = (16, 32, 64, 128)


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


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = parallel_parser("benchmarks.bits", __doc__ or "", "DATASET-bits", (0, 1, 2))
    command.add_argument("--methods", metavar="NAME", nargs="+", default=list(METHODS), choices=list(METHODS),
                         help=f"some of: {', '.join(METHODS)} (default: all)")  # fmt: skip
    command.add_argument("--bits", metavar="N", type=int, nargs="+", default=list(BITS),
                         help=f"lengths of the codes (default: {' '.join(map(str, BITS))})")  # fmt: skip
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parser().parse_args(arguments)
    return guarded(lambda: measure(*_begin(options), options.jobs), "resume the run with --resume and its folder")


def _begin(options: argparse.Namespace) -> tuple[Plan, RunFolder]:
    check_workers(options.jobs)
    if min(options.bits) < 1 or len(set(options.bits)) < len(options.bits):
        raise ValueError(f"'--bits' must be distinct and at least 1 (got {' '.join(map(str, options.bits))})")
    if options.resume:
        return read_plan(Plan, options.resume), RunFolder(options.resume)
    plan = Plan(options.dataset, options.methods, options.bits, options.seeds, options.settings)
    first = next(iter(plan.configs().values()))
    data = load_data(first)  # Before the folder is created, so that a wrong name leaves no folder behind.
    folder = RunFolder(options.out or Path("runs") / f"{Path(plan.dataset).stem}-bits-{datetime.now():%Y%m%d-%H%M%S}")
    create_plan(plan, folder.path, environment())
    keep_splits(first, data, folder)
    return plan, folder


def measure(plan: Plan, folder: RunFolder, workers: int) -> None:
    """Train all lengths with all seeds, and write the report; finished trainings are kept."""
    configs = plan.configs()
    first = next(iter(configs.values()))
    data = load_data(first, folder)
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


if __name__ == "__main__":
    sys.exit(main())
