"""Results as Markdown tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from labelgraph._core.names import check_name
from labelgraph.data import COUNT_BINS
from labelgraph.report.results import Result, spread, summarize_results

# The columns of each table by kind: the heading, and the name of a measure or of a value of the summary.
TABLES: dict[str, dict[str, str]] = {
    "main": {
        "mAP": "average", "nDCG@10": "ndcg@10/linear", "Jaccard@10": "jaccard@10", "own@10": "own@10",
        "words": "words@10",
    },
    "directions": {"image to text": "image_to_text", "text to image": "text_to_image", "average": "average"},
    "graded": {
        "nDCG@10": "ndcg@10/linear", "Jaccard@10": "jaccard@10", "exact@10": "exact@10", "precision@10": "precision@10",
    },
    "pairs": {"own@1": "own@1", "own@5": "own@5", "own@10": "own@10", "median rank": "own-rank"},
    "short": {
        "labels, precision@10": "labels@10", "labels, mAP": "labels-map", "words, precision@10": "words@10",
        "words, mAP": "words-map",
    },
    "counts": {},
    "classifiers": {},
    "propensity": {f"{kind}@{k}": f"{kind.lower()}@{k}" for kind in ("PSP", "PSnDCG") for k in (1, 3, 5)},
    "cost": {
        "seeds": "seeds", "parameters": "parameters", "epoch": "epoch_seconds", "memory": "peak_bytes",
        "training": "train_seconds",
    },
}  # fmt: skip
# The start of the names of measures by the number of training items of a label, by kind of table.
COUNTED = {"counts": "labels-map/", "classifiers": "macro-ap/"}


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Write a Markdown table with aligned columns, the first ones to the left and the others to the right.

    Args:
        header: Names of the columns.
        rows: Cells of each row.
        left: Number of columns that are aligned to the left.

    Example:
        >>> from labelgraph.report import markdown_table
        >>> print(markdown_table(["label", "count"], [["sky", "12"]]))
        | label | count |
        | :---- | ----: |
        | sky   |    12 |
    """
    widths = [max(2, *map(len, column)) for column in zip(header, *rows, strict=True)]
    rules = [":" + "-" * (w - 1) if column < left else "-" * (w - 1) + ":" for column, w in enumerate(widths)]

    def line(cells: Sequence[str]) -> str:
        sized = enumerate(zip(cells, widths, strict=True))
        return f"| {' | '.join(c.ljust(w) if column < left else c.rjust(w) for column, (c, w) in sized)} |"

    return "\n".join([line(header), line(rules), *map(line, rows)])


def results_table(results: Sequence[Result], protocol: str, kind: str = "main") -> str:
    """A table of all methods under a protocol: one row per method, with mean and standard deviation over seeds.

    A run whose best epoch was chosen on the test split is marked. Columns without any value are left out.

    Args:
        results: Results of all methods, seeds and protocols.
        protocol: The protocol.
        kind: ``"main"``: mAP with its deviation, and the means of the main other measures, in at most 100 columns of a
            terminal; ``"directions"``: mAP of both directions; ``"graded"``: measures of label sets; ``"pairs"``:
            recall and rank of a query's own pair; ``"short"``: queries of one label and of one word; ``"counts"``:
            mAP of queries of one label by its number of training items; ``"classifiers"``: macro average precision of
            the label classifiers, and by the number of training items of the label; ``"propensity"``: propensity-scored
            precision and nDCG of the classifiers; ``"cost"``: size, time and memory.

    Raises:
        ValueError: If the kind is unknown.
    """
    check_name("kind", kind, TABLES)
    summaries = [entry for entry in summarize_results(results) if entry["protocol"] == protocol]
    columns = _columns(summaries, kind)
    cells = {heading: [_cell(entry, name, kind) for entry in summaries] for heading, name in columns.items()}
    shown = {heading: column for heading, column in cells.items() if set(column) != {"-"}}
    names = [_name(entry) for entry in summaries]
    return markdown_table(["method", *shown], [*map(list, zip(names, *shown.values(), strict=True))])


def has_values(results: Sequence[Result], protocol: str, kind: str) -> bool:
    """Whether a table has any columns."""
    summaries = [entry for entry in summarize_results(results) if entry["protocol"] == protocol]
    columns = _columns(summaries, kind)
    return any(_cell(entry, name, kind) != "-" for entry in summaries for name in columns.values())


def _columns(summaries: Sequence[Mapping[str, Any]], kind: str) -> dict[str, str]:
    """Columns of a table; some have one for each number of training items of a label that occurs, in order."""
    if kind not in COUNTED:
        return TABLES[kind]
    start = COUNTED[kind]
    occurring = {name for entry in summaries for name in entry["measures"]}
    columns = {f"{name} items": f"{start}{name}" for name in COUNT_BINS if f"{start}{name}" in occurring}
    return {"all labels": start.rstrip("/"), **columns} if kind == "classifiers" else columns


def _name(entry: Mapping[str, Any]) -> str:
    variant = f", {entry['variant']}" if entry["variant"] else ""
    marked = " (selected on test)" if entry["selected_on"] == "test" else ""
    return f"{entry['method']}{variant}{marked}"


def _cell(entry: Mapping[str, Any], name: str, kind: str) -> str:
    value = entry.get(name, entry["measures"].get(name))
    if value is None or (isinstance(value, dict) and (value["mean"] is None or math.isnan(value["mean"]))):
        return "-"
    match name:
        case "parameters" | "seeds":
            return f"{value:,}"
        case "epoch_seconds":
            return f"{value:.2f} s"
        case "train_seconds":
            return f"{value:.1f} s"
        case "peak_bytes":
            return f"{1e-6 * value:,.0f} MB"
    digits = 1 if name == "own-rank" else 3
    if kind == "main" and name != "average":
        return f"{value['mean']:.{digits}f}"
    return _mean_and_deviation(value, digits)


def format_spread(values: Sequence[float], digits: int = 3) -> str:
    """The mean of some values with their sample standard deviation; one value stands alone.

    Example:
        >>> from labelgraph.report.tables import format_spread
        >>> format_spread([0.5, 0.75]), format_spread([0.5])
        ('0.625 ± 0.177', '0.500')
    """
    return _mean_and_deviation(spread(values), digits)


def _mean_and_deviation(entry: Mapping[str, float | None], digits: int) -> str:
    mean, std = entry["mean"], entry["std"]
    return f"{mean:.{digits}f}" + ("" if std is None else f" ± {std:.{digits}f}")
