"""The report on when a label graph helps: tables of differences to no graph, a plot, and all numbers as JSON."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import t as student_t

from benchmarks.experiments.run_folder import RunFolder
from benchmarks.experiments.run_plots import save
from benchmarks.experiments.run_report import how
from benchmarks.experiments.run_settings import RunConfig
from labelgraph._core.json_files import write_json
from labelgraph.data import COUNT_BINS
from labelgraph.report import Result, markdown_table

NO_GRAPH = "no graph"
# Measures of a result by their heading, see `Result.measures`; mAP is the average of both directions.
MEASURES = {
    "mAP": "map", "nDCG@10": "ndcg@10/linear", "Jaccard@10": "jaccard@10", "all labels": "macro-ap",
    **{"unseen" if name == "0" else f"{name} items": f"macro-ap/{name}" for name in COUNT_BINS},
}  # fmt: skip
PLOTTED = {"mAP": "mAP", "all labels": "average precision of labels"}


class Cell(NamedTuple):
    """One cell of the experiment: a method in a regime with a label graph."""

    method: str
    regime: str
    graph: str


Measured = Mapping[Cell, Sequence[Result]]


def write_regimes(folder: RunFolder, config: RunConfig, regimes: Mapping[str, str], measured: Measured) -> None:
    """Write the report, the numbers as JSON and the plot, and print the tables.

    Args:
        folder: Folder of the run.
        config: Settings of the first method.
        regimes: Heading of each regime.
        measured: Results of every seed.
    """
    protocol = config.eval.protocols[0]
    values = {cell: _values(results, protocol) for cell, results in measured.items()}
    write_json(folder.path / "regimes.json", {"protocol": protocol, "results": list(_entries(values))})
    _draw(values, regimes, folder)
    tables = "\n\n".join(_sections(values, regimes))
    parts = [
        f"# When does a label graph help? {Path(config.dataset).stem}",
        f"{EXPLANATION} {how(config, folder)}",
        "![Differences to no graph](plots/regimes.png)",
        tables,
    ]
    folder.write_report_files(parts)
    print(f"\n{protocol}, differences to no graph\n\n{tables}\n\nReport: {folder.path / 'report.html'}")


EXPLANATION = (
    "The first row of each table has the values without a graph, and the other rows the differences to it: the mean "
    "over the seeds, with half the width of its 95 % interval (Student's t). Differences in bold are significant. Each "
    "seed draws training items, missing labels and unseen labels of its own, the same for all graphs. `all labels` is "
    "the mean average precision of the label classifiers, averaged over images and texts, followed by that of the "
    "labels with so many training items."
)


def _values(results: Sequence[Result], protocol: str) -> dict[str, list[float]]:
    """The values of each measure by its heading, one for each seed."""
    chosen = [result for result in results if result.protocol == protocol]
    found = [{"map": result.average, **result.measures} for result in chosen]
    return {
        heading: [each[name] for each in found]
        for heading, name in MEASURES.items()
        if all(math.isfinite(each.get(name, math.nan)) for each in found)
    }


def _entries(values: Mapping[Cell, Mapping[str, Sequence[float]]]) -> Iterator[dict[str, object]]:
    for cell, measures in values.items():
        yield {**cell._asdict(), "measures": {heading: list(each) for heading, each in measures.items()}}


Values = Mapping[Cell, Mapping[str, Sequence[float]]]


def _sections(values: Values, regimes: Mapping[str, str]) -> Iterator[str]:
    for regime, heading in regimes.items():
        yield f"## {heading}"
        for method in dict.fromkeys(cell.method for cell in values):
            yield _table(
                {c.graph: each for c, each in values.items() if (c.method, c.regime) == (method, regime)}, method
            )


def _table(by_graph: Mapping[str, Mapping[str, Sequence[float]]], method: str) -> str:
    base = by_graph[NO_GRAPH]
    headings = [heading for heading in MEASURES if heading in base]
    rows = [[NO_GRAPH, *(f"{statistics.fmean(base[heading]):.3f}" for heading in headings)]]
    for graph, measures in by_graph.items():
        if graph != NO_GRAPH:
            rows.append([graph, *(_difference(measures.get(h), base[h]) for h in headings)])
    return markdown_table([method, *headings], rows)


def _difference(values: Sequence[float] | None, base: Sequence[float]) -> str:
    if values is None:
        return "-"
    mean, margin = difference(values, base)
    if math.isnan(margin):
        return f"{mean:+.3f}"
    text = f"{mean:+.3f} ± {margin:.3f}"
    return f"**{text}**" if abs(mean) > margin else text


def difference(values: Sequence[float], base: Sequence[float]) -> tuple[float, float]:
    """The mean difference over seeds, with half the width of its 95 % interval by Student's t; NaN for one seed."""
    gaps = [a - b for a, b in zip(values, base, strict=True)]
    if len(gaps) < 2:
        return gaps[0], math.nan
    error = statistics.stdev(gaps) / math.sqrt(len(gaps))
    return statistics.fmean(gaps), error * float(student_t.ppf(0.975, len(gaps) - 1))


def _draw(values: Values, regimes: Mapping[str, str], folder: RunFolder) -> None:
    """A row of panels for each method, a panel for each plotted measure."""
    methods = list(dict.fromkeys(cell.method for cell in values))
    size = (11, 1.0 + len(methods) * (0.9 + 0.55 * len(regimes)))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(methods), len(PLOTTED), squeeze=False, sharey="row")
    for method, row in zip(methods, grid, strict=True):
        own = {cell: each for cell, each in values.items() if cell.method == method}
        for ax, heading in zip(row, PLOTTED, strict=True):
            _panel(ax, own, regimes, heading)
            ax.set_title("average precision of labels" if heading == "all labels" else heading, fontsize=10)
        row[0].set_title(f"{method}: {row[0].get_title()}", fontsize=10)
        row[-1].legend(fontsize="small", edgecolor="none", loc="center left", bbox_to_anchor=(1, 0.5))
    figure.supxlabel("difference to no graph, with its 95 % interval", fontsize=10)
    save(figure, folder, "regimes.png")


def _panel(ax: Axes, values: Values, regimes: Mapping[str, str], heading: str) -> None:
    """A line for each regime, and a point with its interval for each graph."""
    graphs = [graph for graph in dict.fromkeys(cell.graph for cell in values) if graph != NO_GRAPH]
    method = next(iter(values)).method
    for place, graph in enumerate(graphs):
        shown = [regime for regime in regimes if heading in values.get(Cell(method, regime, graph), {})]
        gaps = [
            difference(values[Cell(method, regime, graph)][heading], values[Cell(method, regime, NO_GRAPH)][heading])
            for regime in shown
        ]
        y = [list(regimes).index(regime) + 0.16 * (place - (len(graphs) - 1) / 2) for regime in shown]
        margins = [0.0 if math.isnan(margin) else margin for _, margin in gaps]
        ax.errorbar([mean for mean, _ in gaps], y, xerr=margins, fmt="o", ms=4, lw=1.2, capsize=2, label=graph)
    ax.axvline(0, color="0.4", lw=1)
    ax.set_yticks(range(len(regimes)), list(regimes.values()))
    ax.set_ylim(len(regimes) - 0.5, -0.5)
    ax.locator_params(axis="x", nbins=5)
    ax.grid(axis="x", alpha=0.3)
