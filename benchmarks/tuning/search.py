"""The search itself: trials, the best of each method, its trainings over seeds, and ridge beside them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from benchmarks.baselines import quality, ridge
from benchmarks.config import RunConfig
from benchmarks.jobs import Job, run_jobs
from benchmarks.run_folder import RunFolder
from benchmarks.runner import evaluate_method, scoring
from benchmarks.tuning.plan import RIDGE, Plan, trial_folder
from labelgraph.data import CrossModalData
from labelgraph.methods import load_method
from labelgraph.report import Result
from labelgraph.retrieval import PROTOCOLS, Encoder, evaluate_protocol, query_metrics

EXPECTED = "expected_relevance"


@dataclass(frozen=True)
class Tuned:
    """What the search found for one method.

    Args:
        method: Its name.
        settings: The settings that were drawn in the best trial.
        tried: The mAP on the validation split of every trial.
        results: Of the best trial's settings, of every seed and protocol.
        by_query: Average precision of each test query, both ways averaged, mean over the seeds, shape (Q,).
        expected: The results when ranked by expected relevance, where the method has another score of its own.
    """

    method: str
    settings: dict[str, Any]
    tried: list[float]
    results: list[Result]
    by_query: Tensor
    expected: list[Result]


def search(plan: Plan, path: Path, data: CrossModalData, workers: int) -> list[Tuned]:
    """Train all trials with the first seed, and the best of each method with the others; what is done is kept."""
    count = len(plan.trials[RIDGE])
    print(f"{count} trials of {', '.join(plan.methods)}", flush=True)
    trials = [(method, trial) for method in plan.methods for trial in range(count)]
    found = run_jobs((_job(plan, path, *each, plan.seeds[0]) for each in trials), workers)
    tried = {
        method: [_validation(found[_job(plan, path, method, i, plan.seeds[0]).path]) for i in range(count)]
        for method in plan.methods
    }
    best = {method: values.index(max(values)) for method, values in tried.items()}
    print("the best of each, over all seeds", flush=True)
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
    """The mAP that a trial is chosen by."""
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
        values.append(_by_query(*scoring(method, config, data), data, config.eval.protocols[0]))
        if method.scores_labels and method.similarity != "dot":
            other = replace(config, eval=replace(config.eval, score=EXPECTED))
            expected += evaluate_method(method, other, data, job.seed)
    return Tuned(
        config.method, settings, tried, [r for each in results for r in each], torch.stack(values).mean(0), expected
    )


def _tune_ridge(plan: Plan, data: CrossModalData) -> Tuned:
    """The same number of penalties for ridge, which has no seeds."""
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
        )
        for name, reports in measured.items()
    ]
    by_query = _by_query(encode, "cosine", data, config.eval.protocols[0])
    return Tuned(RIDGE, plan.trials[RIDGE][best], tried, results, by_query, [])


def _by_query(encode: Encoder, similarity: str, data: CrossModalData, protocol: str) -> Tensor:
    """Average precision of each query item, both ways averaged."""
    query, database = (data.split(name) for name in PROTOCOLS[protocol])
    asks, has = encode(query), encode(database)
    metric: Callable[..., dict[str, Tensor]] = partial(query_metrics, metrics=["map"], similarity=similarity)
    ways = [metric(asks[i], has[1 - i], query.labels, database.labels)["map"] for i in range(2)]
    return torch.stack(ways).mean(0)


def seconds(tuned: Tuned) -> float:
    """Mean time of one training."""
    return fmean(result.train_seconds or 0.0 for result in tuned.results)
