"""Results as data: one a method, seed and protocol, and their summary over seeds."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from labelgraph.retrieval import DIRECTIONS, RetrievalReport

FORMAT = 1


@dataclass(frozen=True)
class Result:
    """What one trained model gave under one protocol.

    Args:
        method: Its name.
        seed: Of the training; none where nothing is random.
        protocol: Name of the evaluation protocol.
        image_to_text: Retrieval of texts for images.
        text_to_image: Retrieval of images for texts.
        selected_on: The split that the best epoch or setting was chosen on, if any.
        best_epoch: The chosen epoch, from 0.
        best_map: Its mAP on the items that it was chosen on, both ways averaged.
        train_seconds: Time of training.
        parameters: Number of trained parameters.
        setting: What was chosen, such as the strength of a penalty.
        variant: How it was trained, where a method is trained in several ways.
        epoch_seconds: Median time of an epoch.
        peak_bytes: Most memory that training held at a time.
        diagnostics: Scalars of the chosen epoch by name, such as the precision of discriminators.
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

    @property
    def average(self) -> float:
        """Mean average precision, both ways averaged."""
        return statistics.fmean(getattr(self, way).mean_average_precision for way in DIRECTIONS)


def summarize_results(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Mean and sample deviation over seeds of each method, variant, protocol and split selected on, in order.

    The deviation is none where there is one result only.
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
        **{name: {"mean": statistics.fmean(each), "std": _deviation(each)} for name, each in values.items()},
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def _deviation(values: list[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


def write_results(path: Path, results: Sequence[Result], **about: Any) -> None:
    """Write results and their summary as JSON, beside and then renamed; what is not a number becomes null."""
    content = {
        "format": FORMAT,
        **about,
        "summary": summarize_results(results),
        "results": [asdict(result) for result in results],
    }
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps(_without_nan(content), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    beside.replace(path)


def read_results(path: Path) -> list[Result]:
    """Read what `write_results` wrote.

    Raises:
        ValueError: If the file is damaged or of another version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}, of another version")
        return [_result(entry) for entry in content["results"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: expected results of format {FORMAT} (got {error})") from error


def _result(entry: dict[str, Any]) -> Result:
    reports = {way: RetrievalReport(**_with_nan(entry[way])) for way in DIRECTIONS}
    return Result(**{**entry, **reports})


def _with_nan(report: dict[str, Any]) -> dict[str, Any]:
    return {**report, "per_class": [math.nan if value is None else value for value in report["per_class"]]}


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
