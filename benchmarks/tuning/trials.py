"""Random trials: draw settings, train them, and choose the best."""

from __future__ import annotations

import functools
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import numpy as np
import torch
import yaml
from torch import Tensor

from benchmarks.experiments.baselines import label_queries, quality, ridge
from benchmarks.experiments.jobs import Job, run_jobs
from benchmarks.experiments.run_folder import RunFolder
from benchmarks.experiments.run_settings import RunConfig, own_settings, resolve
from benchmarks.experiments.runner import evaluate_method, scoring
from labelgraph.cli.common import counted
from labelgraph.data import CrossModalData
from labelgraph.methods import ExpectedRelevance, load_method
from labelgraph.metrics import PROTOCOLS, Encoder, evaluate_protocol, evaluate_short_queries, query_metrics
from labelgraph.report import Result

SPACE = Path(__file__).with_name("space.yaml")


@functools.cache
def space() -> dict[str, dict[str, dict[str, list[Any]]]]:
    """For each method and setting, the kind of range and the range."""
    content: dict[str, Any] = yaml.safe_load(SPACE.read_text(encoding="utf-8"))
    return content


def draw(method: str, trial: int, seed: int = 0) -> dict[str, Any]:
    """Draw the settings of one trial; they do not depend on the number of trials.

    Args:
        method: Key of the space.
        trial: Number of the trial, from 0.
        seed: Random seed of the search.

    Raises:
        ValueError: If the method has no entry in the space.
    """
    if method not in space():
        raise ValueError(f"{SPACE.name}: expected settings to search for {method!r} (got {', '.join(space())})")
    chance = np.random.default_rng([seed, zlib.crc32(method.encode()), trial])
    return {name: _value(how, chance) for name, how in space()[method].items()}


def _value(how: Mapping[str, list[Any]], chance: np.random.Generator) -> Any:
    ((kind, among),) = how.items()
    if kind == "choice":
        return among[chance.integers(len(among))]
    low, high = np.log(among) if kind == "log" else among
    value = chance.uniform(low, high)
    # Three digits are enough, and short to type.
    return float(f"{np.exp(value) if kind == 'log' else value:.3g}")


RIDGE = "ridge"


@dataclass(frozen=True)
class Plan:
    """The arguments and the drawn settings of a search.

    Args:
        dataset: Name or path of the data set.
        methods: Methods to tune; ridge regression is always tuned too.
        seeds: Seeds of the trainings with the best settings; trials are trained with the first.
        settings: ``key=value``; a method ignores settings that only other methods have.
        search_seed: Random seed of the drawn settings.
        trials: For each method, the settings of each trial.
    """

    dataset: str
    methods: list[str]
    seeds: list[int]
    settings: list[str]
    search_seed: int
    trials: dict[str, list[dict[str, Any]]]

    @classmethod
    def draw(
        cls, dataset: str, methods: list[str], seeds: list[int], settings: list[str], count: int, seed: int
    ) -> Plan:
        """Draw the same number of trials for every method and for ridge regression."""
        if count < 1:
            raise ValueError(f"'--trials' must be at least 1 (got {count})")
        names = [*methods, RIDGE]
        trials = {n: [draw(n, i, seed) for i in range(count)] for n in names}
        return cls(dataset, methods, seeds, settings, seed, trials)

    def config(self, method: str, trial: int) -> RunConfig:
        """The settings of a trial; drawn settings override all others."""
        drawn = [f"{name}={value}" for name, value in self.trials[method][trial].items()]
        settings = own_settings(self.settings, method, self.methods)
        return resolve(method, self.dataset, self.seeds, None, [*settings, *drawn])


def trial_folder(path: Path, method: str, trial: int) -> RunFolder:
    """The folder of the trainings of a trial."""
    return RunFolder(path / method / f"trial-{trial}")


EXPECTED: Final = "expected_relevance"


@dataclass(frozen=True)
class Tuned:
    """The outcome of the search for one method.

    Args:
        method: Name of the method.
        settings: The drawn settings of the best trial.
        tried: The mAP of every trial on the validation split.
        results: Results of the best trial's settings, for every seed and protocol.
        by_query: Average precision of each test query, averaged over both directions and all seeds, shape (Q,).
        expected: Results of the same models ranked by expected relevance; empty for `ExpectedRelevance`.
    """

    method: str
    settings: dict[str, Any]
    tried: list[float]
    results: list[Result]
    by_query: Tensor
    expected: list[Result]


def search(plan: Plan, path: Path, data: CrossModalData, workers: int) -> list[Tuned]:
    """Train all trials with the first seed, and the best of each method with all seeds; keep finished trainings."""
    count = len(plan.trials[RIDGE])
    print(f"{counted(count, 'trial')} of {', '.join(plan.methods)}", flush=True)
    trials = [(method, trial) for method in plan.methods for trial in range(count)]
    trained = run_jobs((_job(plan, path, *each, plan.seeds[0]) for each in trials), workers)
    tried = {
        method: [_validation(trained[_job(plan, path, method, i, plan.seeds[0]).path]) for i in range(count)]
        for method in plan.methods
    }
    best = {method: values.index(max(values)) for method, values in tried.items()}
    print("the best trial of each method with all seeds", flush=True)
    jobs = [_job(plan, path, method, trial, seed) for method, trial in best.items() for seed in plan.seeds]
    results = run_jobs(jobs, workers)
    tuned = [_tune_ridge(plan, data)]
    for method, trial in best.items():
        own = [job for job in jobs if job.config.method == method]
        tuned.append(_tuned(plan.trials[method][trial], tried[method], own, [results[job.path] for job in own], data))
    return tuned


def _job(plan: Plan, path: Path, method: str, trial: int, seed: int) -> Job:
    return Job(plan.config(method, trial), seed, trial_folder(path, method, trial), RunFolder(path))


def _validation(results: Sequence[Result]) -> float:
    """The mAP on validation, by which trials are chosen."""
    return results[0].best_map or 0.0


def _tuned(
    settings: dict[str, Any],
    tried: list[float],
    jobs: Sequence[Job],
    results: Sequence[list[Result]],
    data: CrossModalData,
) -> Tuned:
    config = jobs[0].config
    values, expected = [], []
    for job in jobs:
        method = load_method(job.folder.model(job.seed))
        values.append(_by_query(scoring(method, config, data), data, config.eval.protocols[0]))
        if method.scores_labels and not isinstance(method, ExpectedRelevance):
            other = replace(config, eval=replace(config.eval, score=EXPECTED))
            expected += evaluate_method(method, other, data, job.seed)
    return Tuned(
        config.method, settings, tried, [r for each in results for r in each], torch.stack(values).mean(0), expected
    )


def _tune_ridge(plan: Plan, data: CrossModalData) -> Tuned:
    """Tune ridge regression with the same number of penalties; it has no seeds."""
    config: RunConfig = plan.config(plan.methods[0], 0)
    penalties = [trial["penalty"] for trial in plan.trials[RIDGE]]
    held_out = data.split(config.train.select)
    started = time.perf_counter()
    fitted = list(ridge(data.split("train"), penalties))
    spent = (time.perf_counter() - started) / len(penalties)
    tried = [quality(encode, held_out) for _, encode in fitted]
    best = tried.index(max(tried))
    setting, encode = fitted[best]
    options: dict[str, Any] = {"k": config.eval.k, "definition": config.eval.definition}
    measured = {name: evaluate_protocol(encode, data, name, **options) for name in config.eval.protocols}
    results = [
        Result(
            method=RIDGE,
            seed=None,
            protocol=name,
            image_to_text=reports["image_to_text"],
            text_to_image=reports["text_to_image"],
            selected_on=config.train.select,
            best_map=tried[best],
            train_seconds=spent,
            setting=setting,
            short_queries=evaluate_short_queries(encode, data, name, label_queries(RIDGE, data)),
        )
        for name, reports in measured.items()
    ]
    by_query = _by_query(encode, data, config.eval.protocols[0])
    return Tuned(RIDGE, plan.trials[RIDGE][best], tried, results, by_query, [])


def _by_query(encode: Encoder, data: CrossModalData, protocol: str) -> Tensor:
    """Average precision of each query, averaged over both directions."""
    query, database = (data.split(name) for name in PROTOCOLS[protocol])
    asks, has = encode(query), encode(database)
    metric: Callable[..., dict[str, Tensor]] = partial(query_metrics, metrics=["map"])
    ways = [metric(asks[i], has[1 - i], query.labels, database.labels)["map"] for i in range(2)]
    return torch.stack(ways).mean(0)


def seconds(tuned: Tuned) -> float:
    """Mean time of one training."""
    return fmean(result.train_seconds or 0.0 for result in tuned.results)
