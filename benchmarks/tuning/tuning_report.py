"""The report of trials, with paired bootstrap intervals."""

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
from benchmarks.experiments.run_report import how
from benchmarks.tuning.trials import RIDGE, Plan, Tuned, seconds
from labelgraph._core.files import write_text
from labelgraph._core.json_files import write_json
from labelgraph.data import CrossModalData
from labelgraph.metrics import DIRECTIONS
from labelgraph.report import Result, markdown_table

RESAMPLES = 10_000


def bootstrap_difference(left: Tensor, right: Tensor, seed: int = 0) -> tuple[float, float, float]:
    """Mean difference of two methods on the same queries, and the ends of its 95 % interval.

    Paired: a draw takes the same queries of both. The interval holds the middle of 10,000 draws.

    Args:
        left: A value a query, shape (Q,).
        right: The same of the other method.
        seed: Of the draws.
    """
    difference = (left - right).double().numpy()
    found = bootstrap(
        (difference,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=100,
        method="percentile",
        random_state=np.random.default_rng(seed),
    )
    return float(difference.mean()), float(found.confidence_interval.low), float(found.confidence_interval.high)


def write_tuning(plan: Plan, path: Path, data: CrossModalData, tuned: Sequence[Tuned]) -> str:
    """Write ``report.md``, ``tuning.json`` and the picture; gives the tables."""
    folder, config = RunFolder(path), plan.config(plan.methods[0], 0)
    protocol = config.eval.protocols[0]
    ordered = sorted(tuned, key=lambda each: -fmean(_validation(each, protocol)))
    tables = [
        f"{protocol}, ordered by validation\n\n{_results_table(ordered, protocol)}",
        f"Difference of {ordered[0].method} to the others, over the same queries\n\n{_differences(ordered)}",
        *_expected(ordered, protocol),
    ]
    content = {
        "protocol": protocol,
        "methods": {
            each.method: {"settings": each.settings, "tried": each.tried, "seconds": seconds(each),
                          "validation": _validation(each, protocol), "test": _test(each.results, protocol),
                          "expected_relevance": _test(each.expected, protocol)} for each in tuned},
    }  # fmt: skip
    write_json(path / "tuning.json", content)
    _plot(ordered, protocol, folder, plan)
    count = len(plan.trials[RIDGE])
    told = (
        f"Each method had {count} trials with settings drawn at random from `benchmarks/tuning/space.yaml` (seed "
        f"{plan.search_seed}), trained with seed {plan.seeds[0]}; the best by validation was trained with all seeds. "
        "Ridge had as many penalties. "
        f"{how(config, folder)} {tell_splits(config, data)}"
    )
    trials = "\n\n".join(f"### {each.method}\n\n{_trials(plan, each)}" for each in tuned)
    parts = [
        f"# Methods tuned alike on {Path(plan.dataset).stem}", told, *tables,
        "![all trials and seeds](plots/tuned.png)",
        "## Trials", trials, f"## Asked for\n\n```json\n{json.dumps(asdict(plan) | {'trials': count})}\n```",
    ]  # fmt: skip
    write_text(path / "report.md", "\n\n".join(parts) + "\n")
    return "\n\n".join(tables)


def _test(results: Sequence[Result], protocol: str) -> list[float]:
    """The mAP of every seed, both ways averaged."""
    return [result.average for result in results if result.protocol == protocol]


def _validation(tuned: Tuned, protocol: str) -> list[float]:
    return [result.best_map or math.nan for result in tuned.results if result.protocol == protocol]


def _spread(values: Sequence[float]) -> str:
    return f"{fmean(values):.3f} ± {stdev(values):.3f}" if len(values) > 1 else f"{fmean(values):.3f}"


def _results_table(tuned: Sequence[Tuned], protocol: str) -> str:
    rows = []
    for each in tuned:
        own = [result for result in each.results if result.protocol == protocol]
        ways = [[getattr(result, way).mean_average_precision for result in own] for way in DIRECTIONS]
        rows.append([each.method, _spread(_validation(each, protocol)), *map(_spread, ways),
                     _spread(_test(own, protocol)), str(len(own)), f"{seconds(each):.1f} s"])  # fmt: skip
    header = ["method", "validation", *(way.replace("_", " ") for way in DIRECTIONS), "average", "seeds", "training"]
    return markdown_table(header, rows)


def _differences(tuned: Sequence[Tuned]) -> str:
    rows = []
    for other in tuned[1:]:
        mean, low, high = bootstrap_difference(tuned[0].by_query, other.by_query)
        rows.append([other.method, f"{mean:+.3f}", f"{low:+.3f} to {high:+.3f}"])
    return markdown_table(["against", "average mAP", "95 % of bootstrap draws"], rows)


def _expected(tuned: Sequence[Tuned], protocol: str) -> list[str]:
    """What ranking by expected relevance does for the methods with a score of their own."""
    rows = []
    for each in tuned:
        if each.expected:
            own, other = _test(each.results, protocol), _test(each.expected, protocol)
            gaps = [b - a for a, b in zip(own, other, strict=True)]
            error = f" ± {stdev(gaps) / math.sqrt(len(gaps)):.3f}" if len(gaps) > 1 else ""
            rows.append([each.method, _spread(own), _spread(other), f"{fmean(gaps):+.3f}{error}"])
    if not rows:
        return []
    header = ["ranked by", "own score", "expected relevance", "difference ± standard error"]
    return [f"The same models ranked by expected relevance\n\n{markdown_table(header, rows)}"]


def _trials(plan: Plan, tuned: Tuned) -> str:
    trials: list[dict[str, Any]] = plan.trials[tuned.method]
    best = tuned.tried.index(max(tuned.tried))
    rows = [
        [f"{i}{' (best)' if i == best else ''}", *(f"{value:g}" for value in trial.values()), f"{tried:.3f}"]
        for i, (trial, tried) in enumerate(zip(trials, tuned.tried, strict=True))
    ]
    return markdown_table(["trial", *trials[0], "validation mAP"], rows)


def _plot(tuned: Sequence[Tuned], protocol: str, folder: RunFolder, plan: Plan) -> None:
    """A line a method: trials on validation, and the seeds of the best on test."""
    figure = Figure(figsize=(7, 0.9 + 0.45 * len(tuned)), layout="constrained")
    ax = figure.subplots()
    for place, each in enumerate(reversed(tuned)):
        test = _test(each.results, protocol)
        ax.plot(
            each.tried, [place + 0.14] * len(each.tried), "o", color="C1", mfc="none", ms=5, label="trials, validation"
        )
        ax.plot(test, [place - 0.14] * len(test), "o", color="C0", ms=4, alpha=0.7, label="seeds of the best, test")
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[:2], labels[:2], fontsize="small", edgecolor="none", loc="lower right")
    ax.set_yticks(range(len(tuned)), [each.method for each in reversed(tuned)])
    ax.set(xlabel="mAP, both ways averaged", title=f"{Path(plan.dataset).stem}, {protocol}")
    ax.grid(axis="x", alpha=0.3)
    save(figure, folder, "tuned.png")
