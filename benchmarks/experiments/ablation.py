"""The trainings of an ablation: one factor is changed at a time."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.experiments.ablation_report import Variation, write_ablation
from benchmarks.experiments.environment import environment
from benchmarks.experiments.folder_start import FACTORS_FILE
from benchmarks.experiments.jobs import Job, run_jobs
from benchmarks.experiments.parallel_options import FACTORS
from benchmarks.experiments.run_folder import RunFolder, keep_splits, load_data
from benchmarks.experiments.run_settings import RunConfig, resolve
from labelgraph._core.names import check_name
from labelgraph._core.reading import reading


def begin_ablation(options: argparse.Namespace, folder: RunFolder) -> tuple[RunConfig, list[str]]:
    """The settings and factors of a new ablation, or of one that is resumed."""
    if options.resume:
        return folder.config(), _read_factors(folder.path / FACTORS_FILE)
    base = resolve(options.method, options.dataset, options.seeds, None, options.settings)
    if base.data.incomplete:
        raise ValueError(f"'data.incomplete' must be 0 for an ablation (got {base.data.incomplete})")
    load_data(base)  # Before a file is written, so that a wrong name leaves no folder behind.
    folder.create(base, environment(), options.over)
    return base, options.over


def _read_factors(path: Path) -> list[str]:
    """The factors of an interrupted ablation."""
    with reading(path, "names of factors"):
        factors = path.read_text(encoding="utf-8").split()
        for factor in factors or [""]:
            check_name("factor", factor, FACTORS)
        return factors


def ablate(base: RunConfig, over: Sequence[str], folder: RunFolder, jobs: int | None) -> None:
    """Train every setting with every seed, and write the report; finished trainings are kept."""
    data = load_data(base, folder)
    keep_splits(base, data, folder)
    print(f"{base.method} on {base.dataset}: {data}\nfolder {folder.path}", flush=True)
    variations = list(_variations(base, over))
    results = run_jobs(_jobs(base, variations, folder), jobs)
    places = [_place(folder, variation) for variation in variations]
    measured = [
        replace(variation, results=[result for seed in base.seeds for result in results[place.results(seed)]])
        for variation, place in zip(variations, places, strict=True)
    ]
    write_ablation(folder, base, measured)


def _variations(base: RunConfig, over: Iterable[str]) -> Iterable[Variation]:
    """One factor at a time; the value that the method itself uses is among them."""
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
            yield Job(config, seed, _place(folder, variation), folder)


def _place(folder: RunFolder, variation: Variation) -> RunFolder:
    """The folder of a variation; all variations with the settings of the method itself share one."""
    name = "own" if variation.is_own else f"{FACTORS[variation.factor][0]}={variation.value}"
    return RunFolder(folder.path / name)
