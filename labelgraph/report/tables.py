"""Results as JSON and as tables."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from labelgraph.metrics import DIRECTIONS, RetrievalReport

COLUMNS = (
    "method", "image to text", "text to image", "average", "seeds", "parameters", "epoch", "memory", "training",
)  # fmt: skip


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table with its columns aligned, the first to the left and the others to the right.

    Example:
        >>> from labelgraph.report import markdown_table
        >>> print(markdown_table(["label", "count"], [["sky", "12"]]))
        | label | count |
        | :---- | ----: |
        | sky   |    12 |
    """
    widths = [max(2, *map(len, column)) for column in zip(header, *rows, strict=True)]
    rules = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]

    def line(cells: Sequence[str]) -> str:
        aligned = [
            cells[0].ljust(widths[0]),
            *(c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True)),
        ]
        return "| " + " | ".join(aligned) + " |"

    return "\n".join([line(header), line(rules), *map(line, rows)])


def results_table(results: Sequence[Result], protocol: str) -> str:
    """Mean average precision of every method under a protocol, mean and deviation over seeds.

    Numbers of a run whose best epoch was chosen on the test split say so.
    """
    rows = [_row(entry) for entry in summarize_results(results) if entry["protocol"] == protocol]
    return markdown_table(COLUMNS, rows)


def _row(entry: dict[str, Any]) -> list[str]:
    variant = f", {entry['variant']}" if entry["variant"] else ""
    marked = " (selected on test)" if entry["selected_on"] == "test" else ""
    return [
        entry["method"] + variant + marked,
        *(_spread(**entry[way]) for way in ("image_to_text", "text_to_image", "average")),
        str(entry["seeds"]),
        _shown(entry["parameters"], "{:,}"),
        _shown(entry["epoch_seconds"], "{:.2f} s"),
        _shown(entry["peak_bytes"], "{:,.0f} MB", 1e-6),
        _shown(entry["train_seconds"], "{:.1f} s"),
    ]


def _shown(value: float | None, form: str, factor: float = 1) -> str:
    return "-" if value is None else form.format(factor * value)


def _spread(mean: float, std: float | None) -> str:
    return f"{mean:.3f}" if std is None else f"{mean:.3f} ± {std:.3f}"


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
