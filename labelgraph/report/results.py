"""What trained models reached: results of each, their mean over seeds, and both as JSON."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from labelgraph._core.checked_config import CountInt, PositiveInt, Share, Weight, check_value, field_types
from labelgraph._core.json_files import read_json, write_json
from labelgraph._core.reading import quoted, reading
from labelgraph.metrics import DIRECTIONS, LabelReport, QueryReport, RetrievalReport

FORMAT = 1


@dataclass(frozen=True)
class Result:
    """What one trained model reached under one protocol.

    Args:
        method: Name of the method.
        seed: Seed of the training; none if nothing is random.
        protocol: Name of the evaluation protocol.
        image_to_text: Retrieval of texts for images.
        text_to_image: Retrieval of images for texts.
        selected_on: Split on which the best epoch or setting was chosen, if any.
        best_epoch: The chosen epoch, from 0.
        best_map: Its mAP on that split, averaged over both directions.
        train_seconds: Training time.
        parameters: Number of trained parameters.
        setting: A chosen setting, such as the strength of a penalty.
        variant: How the method was trained, if it is trained in several ways.
        epoch_seconds: Median time of an epoch.
        peak_bytes: Peak memory of the process during training.
        diagnostics: Scalars of the chosen epoch by name, such as the precision of discriminators.
        short_queries: Queries of one label (``"labels"``) and of one word (``"words"``), see `evaluate_short_queries`.
        classifiers: Label classifiers by side, see `evaluate_labels`.
    """

    method: str
    seed: int | None
    protocol: str
    image_to_text: RetrievalReport
    text_to_image: RetrievalReport
    selected_on: str | None = None
    best_epoch: int | None = None
    best_map: float | None = None
    train_seconds: float | None = None
    parameters: int | None = None
    setting: str | None = None
    variant: str | None = None
    epoch_seconds: float | None = None
    peak_bytes: int | None = None
    diagnostics: dict[str, float] | None = None
    short_queries: Mapping[str, QueryReport] = field(default_factory=dict)
    classifiers: Mapping[str, LabelReport] = field(default_factory=dict)

    @property
    def average(self) -> float:
        """Mean average precision, averaged over both directions."""
        return statistics.fmean(getattr(self, way).mean_average_precision for way in DIRECTIONS)

    @property
    def measures(self) -> dict[str, float]:
        """All other measures by name.

        Metrics of both directions are averaged. ``labels@10`` is the mean precision at 10 of queries of one label, and
        ``labels-map`` their mean average precision; ``labels-map/3-5`` counts only labels with 3 to 5 training items.
        ``words@10`` and ``words-map`` are the same for queries of one word. ``macro-ap`` is the mean average precision
        of the label classifiers, averaged over images and texts, and ``macro-ap/3-5`` counts only labels with 3 to 5
        training items; ``psp@5`` and ``psndcg@5`` are propensity-scored precision and nDCG of the classifiers.
        """
        reports = [getattr(self, way).metrics for way in DIRECTIONS]
        measures = {name: statistics.fmean(report[name] for report in reports) for name in reports[0]}
        for kind, report in self.short_queries.items():
            measures |= {f"{kind}@10": report.precision, f"{kind}-map": report.average_precision}
            measures |= {f"{kind}-map/{count}": value for count, value in report.by_count.items()}
        return measures | _classifier_measures([*self.classifiers.values()])


def _classifier_measures(reports: Sequence[LabelReport]) -> dict[str, float]:
    """Average the measures of label classifiers over the sides."""
    sides = [
        {
            "macro-ap": report.average_precision,
            **{f"macro-ap/{count}": value for count, value in report.by_count.items()},
            **report.metrics,
        }
        for report in reports
    ]
    shared = [name for name in sides[0] if all(name in side for side in sides)] if sides else []
    return {name: statistics.fmean(side[name] for side in sides) for name in shared}


def summarize_results(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Mean and sample standard deviation over the seeds of each method, variant, protocol and selection split.

    The deviation is none if there is only one result.
    """
    groups: dict[tuple[str | None, ...], list[Result]] = {}
    for result in results:
        key = (result.method, result.variant, result.protocol, result.selected_on)
        groups.setdefault(key, []).append(result)
    return [_summary(group) for group in groups.values()]


def _summary(group: list[Result]) -> dict[str, Any]:
    first = group[0]
    values = {way: [getattr(result, way).mean_average_precision for result in group] for way in DIRECTIONS}
    values["average"] = [result.average for result in group]
    measures = [result.measures for result in group]
    return {
        "method": first.method,
        "variant": first.variant,
        "protocol": first.protocol,
        "selected_on": first.selected_on,
        "seeds": len(group),
        "parameters": first.parameters,
        "train_seconds": _mean([result.train_seconds for result in group]),
        "epoch_seconds": _mean([result.epoch_seconds for result in group]),
        "peak_bytes": max((result.peak_bytes for result in group if result.peak_bytes), default=None),
        **{name: spread(each) for name, each in values.items()},
        "measures": {name: spread([each[name] for each in measures if name in each]) for name in measures[0]},
    }


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """Mean and sample standard deviation, which is none for a single value."""
    return {"mean": statistics.fmean(values), "std": statistics.stdev(values) if len(values) > 1 else None}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def write_results(path: Path, results: Sequence[Result], **about: Any) -> None:
    """Write results and their summary atomically as JSON; NaN and infinite numbers become null."""
    content = {
        "format": FORMAT,
        **about,
        "summary": summarize_results(results),
        "results": [asdict(result) for result in results],
    }
    write_json(path, _without_nan(content))


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_results(path: Path) -> list[Result]:
    """Read a file of `write_results`.

    Raises:
        ValueError: If the file is damaged or of another version; the message names it.
        FileNotFoundError: If there is no such file.
    """
    with reading(path, f"results of format {FORMAT}"):
        content = read_json(path)
        if content["format"] != FORMAT:
            raise ValueError(f"format {quoted(content['format'])}, of another version")
        return [_read_result(entry) for entry in content["results"]]


REPORTS = ("short_queries", "classifiers")
# Types of the values that a file may hold; null stands for NaN.
REPORT = {
    "mean_average_precision": Share, "per_class": tuple[Share | None, ...], "ks": tuple[PositiveInt, ...],
    "precision": tuple[Share, ...], "recall": tuple[Share, ...], "precision_at_recall": tuple[Share, ...],
    "num_queries": CountInt, "num_without_relevant": CountInt,
}  # fmt: skip
QUERIES = {
    "precision": Share, "average_precision": Share, "num_queries": CountInt, "per_query": tuple[Share | None, ...],
}  # fmt: skip

CLASSIFIERS = {"average_precision": Share, "num_labels": CountInt, "per_label": tuple[Share | None, ...]}


def _read_result(entry: dict[str, Any]) -> Result:
    kinds = field_types(Result)
    values = {name: entry[name] for name in entry if name not in (*DIRECTIONS, *REPORTS, "diagnostics")}
    scalars = {name: check_value(name, value, kinds.get(name, object)) for name, value in values.items()}
    reports: dict[str, Any] = {
        way: RetrievalReport(**_read_report(entry[way], REPORT, "metrics")) for way in DIRECTIONS
    }
    short, classifiers = (entry.get(name, {}).items() for name in REPORTS)
    return Result(
        **scalars,
        **reports,
        diagnostics=None if entry.get("diagnostics") is None else _numbers(entry["diagnostics"]),
        short_queries={kind: QueryReport(**_read_report(report, QUERIES, "by_count")) for kind, report in short},
        classifiers={
            side: LabelReport(**_read_report(report, CLASSIFIERS, "by_count", "labels_by_count", "metrics"))
            for side, report in classifiers
        },
    )


def _read_report(entry: dict[str, Any], kinds: Mapping[str, Any], *named: str) -> dict[str, Any]:
    """The values of a report, and under the names in ``named`` its numbers by name."""
    checked = {
        name: check_value(name, value, kinds.get(name, object)) for name, value in entry.items() if name not in named
    }
    report = {name: _with_nan(value) if isinstance(value, tuple) else value for name, value in checked.items()}
    return {**report, **{name: _numbers(entry.get(name, {})) for name in named}}


def _numbers(entry: dict[str, Any]) -> dict[str, float]:
    numbers = {name: check_value(name, value, Weight | None) for name, value in entry.items()}
    return dict(zip(numbers, _with_nan(tuple(numbers.values())), strict=True))


def _with_nan(values: tuple[Any, ...]) -> list[Any]:
    return [math.nan if value is None else value for value in values]
