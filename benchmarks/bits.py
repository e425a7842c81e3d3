"""Train methods to hash codes of several lengths, and draw mAP against bits beside what they reach without codes.

Examples:
  python -m benchmarks.bits --methods expected-relevance agah
  python -m benchmarks.bits --dataset my-data.npz --bits 16 64 --seeds 0 1 2 3 4 --set data.split=test-vs-test
  python -m benchmarks.bits --resume runs/BITS    # go on with an interrupted run
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import yaml

from benchmarks.bits_report import write_bits
from benchmarks.config import RunConfig, resolve_all
from benchmarks.data import keep_splits, load_data
from benchmarks.environment import environment
from benchmarks.jobs import Job, check_workers, default_workers, run_jobs
from benchmarks.run_folder import FORMAT, RunFolder, make_new, write_text
from labelgraph.cli.errors import guarded
from labelgraph.methods import METHODS
from labelgraph.report import Result

BITS = (16, 32, 64, 128)


@dataclass(frozen=True)
class Plan:
    """What was asked for: the arguments of the command."""

    dataset: str
    methods: list[str]
    bits: list[int]
    seeds: list[int]
    settings: list[str]

    def configs(self) -> dict[tuple[str, int | None], RunConfig]:
        """The settings of each method and length; without codes, too, where the method can do without."""
        made = {}
        for config in resolve_all(self.methods, self.dataset, self.seeds, None, self.settings):
            real: list[int | None] = [] if METHODS[config.method].Config().bits else [None]
            for bits in [*self.bits, *real]:
                made[config.method, bits] = replace(config, model=replace(config.model, bits=bits))
        return made


def parser() -> argparse.ArgumentParser:
    """The command line."""
    description, _, examples = (__doc__ or "").partition("\n\n")
    command = argparse.ArgumentParser(
        prog="python -m benchmarks.bits", description=description, epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    command.add_argument("--dataset", metavar="NAME", default="openclipart",
                         help="a name, or the path of a file or folder (default: openclipart)")  # fmt: skip
    command.add_argument("--methods", metavar="NAME", nargs="+", default=list(METHODS), choices=list(METHODS),
                         help=f"some of: {', '.join(METHODS)} (default: all)")  # fmt: skip
    command.add_argument("--bits", metavar="N", type=int, nargs="+", default=list(BITS),
                         help=f"lengths of codes (default: {' '.join(map(str, BITS))})")  # fmt: skip
    command.add_argument("--seeds", metavar="N", type=int, nargs="+", default=[0, 1, 2],
                         help="trainings of each (default: 0 1 2)")  # fmt: skip
    command.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], dest="settings",
                         help="settings for all trainings, as of benchmarks.run")  # fmt: skip
    command.add_argument("--jobs", metavar="N", type=int, default=default_workers(),
                         help=f"trainings at a time, sharing the cores (here: {default_workers()})")  # fmt: skip
    command.add_argument("--out", metavar="DIR", type=Path, help="new folder (default: runs/DATASET-bits-TIME)")
    command.add_argument("--resume", metavar="DIR", type=Path, help="go on with an interrupted run")
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit status."""
    options = parser().parse_args(arguments)
    return guarded(lambda: measure(*_begin(options), options.jobs), "go on with --resume and the folder")


def _begin(options: argparse.Namespace) -> tuple[Plan, RunFolder]:
    check_workers(options.jobs)
    if min(options.bits) < 1 or len(set(options.bits)) < len(options.bits):
        raise ValueError(f"'--bits' must be distinct and at least 1 (got {' '.join(map(str, options.bits))})")
    if options.resume:
        file = options.resume / "plan.yaml"
        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
            if content.pop("format") != FORMAT:
                raise ValueError("another format")
            return Plan(**content), RunFolder(options.resume)
        except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{file}: expected the plan of a run of format {FORMAT} (got {error})") from error
    plan = Plan(options.dataset, options.methods, options.bits, options.seeds, options.settings)
    first = next(iter(plan.configs().values()))
    data = load_data(first)  # Before the folder is made, so that a wrong name leaves none behind.
    folder = RunFolder(options.out or Path("runs") / f"{Path(plan.dataset).stem}-bits-{datetime.now():%Y%m%d-%H%M%S}")
    make_new(folder.path)
    write_text(folder.path / "environment.json", json.dumps(environment(), indent=1) + "\n")
    write_text(folder.path / "plan.yaml", yaml.safe_dump({"format": FORMAT, **vars(plan)}, sort_keys=False))
    keep_splits(first, data, folder)
    return plan, folder


def measure(plan: Plan, folder: RunFolder, workers: int) -> None:
    """Train all lengths with all seeds, and write table and picture; what is done already is kept."""
    configs = plan.configs()
    first = next(iter(configs.values()))
    data = load_data(first, folder)
    print(f"{plan.dataset}: {data}\nfolder {folder.path}", flush=True)
    results = run_jobs(_jobs(configs, folder), workers)
    protocol = first.eval.protocols[0]
    found: dict[tuple[str, int | None], list[float]] = {}
    for job in _jobs(configs, folder):
        key = job.config.method, job.config.model.bits
        found.setdefault(key, []).append(_average(results[job.path], protocol))
    write_bits(folder, first, data, found)


def _average(results: Sequence[Result], protocol: str) -> float:
    return next(result.average for result in results if result.protocol == protocol)


def _jobs(configs: Mapping[tuple[str, int | None], RunConfig], folder: RunFolder) -> Iterator[Job]:
    for (name, bits), config in configs.items():
        place = RunFolder(folder.path / name / (f"bits={bits}" if bits else "without-codes"))
        for seed in config.seeds:
            yield Job(config, seed, place, folder)


if __name__ == "__main__":
    sys.exit(main())
