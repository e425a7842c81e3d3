"""Tables as text that reads well in a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labelgraph.report.results import Result, summarize_results

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
