"""Trainings with few items, missing labels and unseen labels, with and without a label graph."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.experiments.environment import environment
from benchmarks.experiments.jobs import Job, run_jobs
from benchmarks.experiments.regime_report import NO_GRAPH, Cell, write_regimes
from benchmarks.experiments.run_folder import RunFolder, create_plan, held_out, keep_splits, load_data, read_plan
from benchmarks.experiments.run_settings import DataConfig, RunConfig, resolve_all, training_data
from benchmarks.experiments.runner import evaluate_method, saved_or_new
from benchmarks.regimes import METHODS, REGIMES
from labelgraph._core.names import check_name
from labelgraph.cli.common import counted
from labelgraph.data import CrossModalData
from labelgraph.inference import held_out_scores
from labelgraph.methods import load_method
from labelgraph.report import Result
from labelgraph.train.rare_labels import learn_references

# Settings of the model by method and label graph; the first has no graph.
GRAPHS: dict[str, dict[str, dict[str, Any]]] = {
    "algcn": {
        NO_GRAPH: {"num_layers": 0},
        "co-occurrence, as published": {},
        "co-occurrence and zero hops": {"zero_hop": True},
        "similar names and zero hops": {"zero_hop": True, "edges": "meaning"},
        "both and zero hops": {"zero_hop": True, "edges": "merged"},
    },
    "expected-relevance": {
        NO_GRAPH: {"borrowing": 0.0, "name_weight": 0.0, "edges": "none"},
        "names and references alone": {"edges": "none"},
        "co-occurrence": {"edges": "cooccurrence"},
        "similar names": {"edges": "meaning"},
        "both": {"edges": "merged"},
    },
}

TRAINED = "similar names"
SHARED = {"expected-relevance": ("names and references alone", "co-occurrence", TRAINED, "both")}


@dataclass(frozen=True)
class RegimePlan:
    """The arguments of the command."""

    dataset: str
    methods: list[str]
    regimes: list[str]
    seeds: list[int]
    settings: list[str]
    unseen: int = 0

    def __post_init__(self) -> None:
        for name, values, known in (("methods", self.methods, METHODS), ("regimes", self.regimes, REGIMES)):
            for value in values:
                check_name(name, value, known)

    def configs(self) -> dict[str, RunConfig]:
        """The settings of each method, without baselines."""
        settings = ["eval.baselines=[]", *self.settings]
        found = resolve_all(self.methods, self.dataset, self.seeds, None, settings)
        return {config.method: config for config in found}


def begin_regimes(options: argparse.Namespace, folder: RunFolder) -> RegimePlan:
    """The plan of a new run, or of a run that is resumed."""
    if options.resume:
        return read_plan(RegimePlan, folder.path)
    lists = options.methods, options.regimes, options.seeds, options.settings
    plan = RegimePlan(options.dataset, *lists)
    data = load_data(next(iter(plan.configs().values())))  # Before a file is written.
    if data.label_vectors is None:
        raise ValueError(f"'--dataset' must have vectors of its label names (got {options.dataset}, which has none)")
    unseen = max(1, data.num_labels // 6) if options.unseen is None else options.unseen
    plan = replace(plan, unseen=unseen)
    for regime in plan.regimes:
        regime_data(plan, regime, plan.seeds[0], DataConfig()).apply(data)
    create_plan(plan, folder.path, environment())
    return plan


def regime_data(plan: RegimePlan, regime: str, seed: int, settings: DataConfig) -> DataConfig:
    """The settings of the data in a regime; each seed draws items and labels of its own."""
    changes: dict[str, Any] = {**REGIMES[regime], "seed": seed, "label_seed": seed}
    if regime == "unseen":
        changes["unseen_labels"] = plan.unseen
    return replace(settings, **changes)


def measure_regimes(plan: RegimePlan, folder: RunFolder, workers: int | None) -> None:
    """Train every method in every regime with every graph and seed, and write the report; finished trainings stay."""
    first = next(iter(plan.configs().values()))
    data = load_data(first, folder)
    keep_splits(first, data, folder)
    print(f"{plan.dataset}: {data}\nfolder {folder.path}", flush=True)
    jobs = dict(_jobs(plan, folder))
    run_jobs([job for (cell, seed), job in jobs.items() if _trained(cell) == cell], workers)
    measured: dict[Cell, list[Result]] = {}
    for (cell, seed), job in jobs.items():
        measured.setdefault(cell, []).extend(_results(job, jobs[_trained(cell), seed]))
    write_regimes(folder, first, _descriptions(plan, data), measured)


def _jobs(plan: RegimePlan, folder: RunFolder) -> Iterator[tuple[tuple[Cell, int], Job]]:
    for method, config in plan.configs().items():
        for regime in plan.regimes:
            for graph, changes in GRAPHS[method].items():
                place = RunFolder(folder.path / method / regime / graph.replace(", ", " ").replace(" ", "-"))
                model = replace(config.model, **changes)
                for seed in plan.seeds:
                    data = regime_data(plan, regime, seed, config.data)
                    yield (
                        (Cell(method, regime, graph), seed),
                        Job(replace(config, model=model, data=data), seed, place, folder),
                    )


def _trained(cell: Cell) -> Cell:
    """The cell whose training a cell shares: the edges of `LabelReferences` do not change the training."""
    return cell._replace(graph=TRAINED) if cell.graph in SHARED.get(cell.method, ()) else cell


def _results(job: Job, trained: Job) -> list[Result]:
    """The results of a job; one that shares its training learns the references and the calibration again."""

    def relearned() -> list[Result]:
        data = job.data()
        read = training_data(job.config, data)
        method = load_method(trained.folder.model(job.seed))
        method.config = job.config.model
        learn_references(method, read)
        method.calibrate(held_out_scores(method, held_out(job.config, read)))
        return evaluate_method(method, job.config, data, job.seed)

    return saved_or_new(job.path, job.config.eval.protocols, relearned)


def _descriptions(plan: RegimePlan, data: CrossModalData) -> dict[str, str]:
    """A heading for each regime."""
    size = len(data.rows("train"))
    known = {
        "all": f"All {size:,} training items",
        "half-missing": "Half of the training labels missing",
        "most-missing": "Three quarters of the training labels missing",
        "unseen": f"{counted(plan.unseen, 'label')} that no training item has",
    }
    return {regime: known.get(regime) or f"{int(regime):,} training items" for regime in plan.regimes}
