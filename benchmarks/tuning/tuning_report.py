"""The report of a search, with paired bootstrap intervals."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import bootstrap
from torch import Tensor

from benchmarks.experiments.run_folder import RunFolder, tell_splits
from benchmarks.experiments.run_plots import save
from benchmarks.experiments.run_report import how, measure_tables
from benchmarks.tuning.trials import RIDGE, Plan, Tuned, seconds
from labelgraph._core.json_files import write_json
from labelgraph.cli.common import counted
from labelgraph.data import CrossModalData
from labelgraph.metrics import DIRECTIONS
from labelgraph.report import Result, markdown_table, results_table
from labelgraph.report.tables import format_spread

RESAMPLES = 10_000


def bootstrap_difference(left: Tensor, right: Tensor, seed: int = 0) -> tuple[float, float, float]:
    """Mean difference between two methods over the same queries, and the ends of its 95 % interval.

    The bootstrap is paired: each of the 10,000 samples takes the same queries for both methods.

    Args:
        left: A value for each query, shape (Q,).
        right: The values of the other method, shape (Q,).
        seed: Random seed of the samples.
    """
    difference = (left - right).double().numpy()
    sampled = bootstrap(
        (difference,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=100,
        method="percentile",
        random_state=np.random.default_rng(seed),
    )
    return float(difference.mean()), float(sampled.confidence_interval.low), float(sampled.confidence_interval.high)


def write_tuning(plan: Plan, path: Path, data: CrossModalData, tuned: Sequence[Tuned]) -> str:
    """Write the report, the numbers as JSON and the plot; returns the tables."""
    folder, config = RunFolder(path), plan.config(plan.methods[0], 0)
    protocol = config.eval.protocols[0]
    ordered = sorted(tuned, key=lambda each: -fmean(_validation(each, protocol)))
    write_json(path / "tuning.json", {"protocol": protocol, "methods": _content(tuned, protocol)})
    _plot(ordered, protocol, folder, plan)
    best = [result for each in ordered for result in each.results]
    tables = [
        f"mAP, {protocol}, ordered by validation\n\n{_results_table(ordered, protocol)}",
        f"Difference in mAP between {ordered[0].method} and each other method, over the same queries\n\n"
        f"{_differences(ordered)}",
        f"Main measures\n\n{results_table(best, protocol)}",
        *_expected(ordered, protocol),
    ]
    parts = [
        f"# Methods with equal tuning on {Path(plan.dataset).stem}",
        f"{_procedure(plan)} {how(config, folder)} {tell_splits(config, data)}",
        *tables,
        "![mAP of all trials on validation, and of all seeds of the best trials on test](plots/tuned.png)",
        "## All measures",
        measure_tables(best, protocol),
        "## Trials",
        *(f"### {each.method}\n\n{_trials(plan, each)}" for each in tuned),
        f"## Plan\n\n```json\n{json.dumps(asdict(plan) | {'trials': len(plan.trials[RIDGE])})}\n```",
    ]
    folder.write_report_files(parts)
    return "\n\n".join(tables)


def _procedure(plan: Plan) -> str:
    return (
        f"Each method had {counted(len(plan.trials[RIDGE]), 'trial')} with settings drawn at random from "
        f"`benchmarks/tuning/space.yaml` (seed {plan.search_seed}), trained with seed {plan.seeds[0]}. The best trial "
        "on validation was then trained with all seeds. Ridge regression had as many penalties."
    )


def _content(tuned: Sequence[Tuned], protocol: str) -> dict[str, Any]:
    return {
        each.method: {
            "settings": each.settings,
            "tried": each.tried,
            "seconds": seconds(each),
            "validation": _validation(each, protocol),
            "test": _test(each.results, protocol),
            "expected_relevance": _test(each.expected, protocol),
            "measures": [
                {name: None if math.isnan(value) else value for name, value in result.measures.items()}
                for result in each.results
                if result.protocol == protocol
            ],
        }
        for each in tuned
    }


def _test(results: Sequence[Result], protocol: str) -> list[float]:
    """The mAP of every seed, averaged over both directions."""
    return [result.average for result in results if result.protocol == protocol]


def _validation(tuned: Tuned, protocol: str) -> list[float]:
    return [result.best_map or math.nan for result in tuned.results if result.protocol == protocol]


def _results_table(tuned: Sequence[Tuned], protocol: str) -> str:
    rows = []
    for each in tuned:
        own = [result for result in each.results if result.protocol == protocol]
        ways = [[getattr(result, way).mean_average_precision for result in own] for way in DIRECTIONS]
        rows.append([each.method, format_spread(_validation(each, protocol)), *map(format_spread, ways),
                     format_spread(_test(own, protocol)), str(len(own)), f"{seconds(each):.1f} s"])  # fmt: skip
    header = ["method", "validation", *(way.replace("_", " ") for way in DIRECTIONS), "average", "seeds", "training"]
    return markdown_table(header, rows)


def _differences(tuned: Sequence[Tuned]) -> str:
    rows = []
    for other in tuned[1:]:
        mean, low, high = bootstrap_difference(tuned[0].by_query, other.by_query)
        rows.append([other.method, f"{mean:+.3f}", f"{low:+.3f} to {high:+.3f}"])
    return markdown_table(["compared with", "difference", "95 % interval"], rows)


def _expected(tuned: Sequence[Tuned], protocol: str) -> list[str]:
    """The mAP of methods ranked by expected relevance in place of their own score."""
    rows = []
    for each in tuned:
        if each.expected:
            own, other = _test(each.results, protocol), _test(each.expected, protocol)
            gaps = [b - a for a, b in zip(own, other, strict=True)]
            error = f" ± {stdev(gaps) / math.sqrt(len(gaps)):.3f}" if len(gaps) > 1 else ""
            rows.append([each.method, format_spread(own), format_spread(other), f"{fmean(gaps):+.3f}{error}"])
    if not rows:
        return []
    header = ["method", "own score", "expected relevance", "difference ± standard error"]
    return [
        f"mAP of the same models, ranked by their own score and by expected relevance\n\n{markdown_table(header, rows)}"
    ]


def _trials(plan: Plan, tuned: Tuned) -> str:
    trials: list[dict[str, Any]] = plan.trials[tuned.method]
    best = tuned.tried.index(max(tuned.tried))
    rows = [
        [f"{i}{' (best)' if i == best else ''}", *(f"{value:g}" for value in trial.values()), f"{tried:.3f}"]
        for i, (trial, tried) in enumerate(zip(trials, tuned.tried, strict=True))
    ]
    return markdown_table(["trial", *trials[0], "validation mAP"], rows)


def _plot(tuned: Sequence[Tuned], protocol: str, folder: RunFolder, plan: Plan) -> None:
    """A line for each method: its trials on validation, and the seeds of its best trial on test."""
    figure = Figure(figsize=(7, 0.9 + 0.45 * len(tuned)), layout="constrained")
    ax = figure.subplots()
    for place, each in enumerate(reversed(tuned)):
        test = _test(each.results, protocol)
        ax.plot(
            each.tried, [place + 0.14] * len(each.tried), "o", color="C1", mfc="none", ms=5, label="trials, validation"
        )
        ax.plot(
            test, [place - 0.14] * len(test), "o", color="C0", ms=4, alpha=0.7, label="seeds of the best trial, test"
        )
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[:2], labels[:2], fontsize="small", edgecolor="none", loc="lower right")
    ax.set_yticks(range(len(tuned)), [each.method for each in reversed(tuned)])
    ax.set(xlabel="mAP, both directions averaged", title=f"{Path(plan.dataset).stem}, {protocol}")
    ax.grid(axis="x", alpha=0.3)
    save(figure, folder, "tuned.png")
