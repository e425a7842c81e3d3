"""The report of an ablation: a table for each factor, a plot, and the effect of the label graph."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import t as student_t

from benchmarks.experiments.run_folder import RunFolder
from benchmarks.experiments.run_plots import save
from benchmarks.experiments.run_report import how, measure_tables
from benchmarks.experiments.run_settings import RunConfig
from labelgraph._core.json_files import write_json
from labelgraph.cli.common import counted
from labelgraph.report import Result, markdown_table
from labelgraph.report.tables import format_spread


@dataclass(frozen=True)
class Variation:
    """One value of one factor.

    Args:
        factor: Key of ``FACTORS``.
        value: Its value.
        is_own: Whether the method itself uses this value.
        results: Results of every seed and protocol.
    """

    factor: str
    value: Any
    is_own: bool
    results: list[Result] = field(default_factory=list)

    def test(self, protocol: str) -> list[float]:
        """The mAP of every seed, averaged over both directions."""
        return [result.average for result in self.results if result.protocol == protocol]

    def validation(self, protocol: str) -> list[float]:
        """The mAP of every seed on the validation split."""
        return [result.best_map or math.nan for result in self.results if result.protocol == protocol]


def write_ablation(folder: RunFolder, base: RunConfig, variations: Sequence[Variation]) -> None:
    """Write the report, the numbers as JSON and the plot, and print the tables."""
    protocol = base.eval.protocols[0]
    content = [{"factor": v.factor, "value": v.value, "own": v.is_own, "validation": v.validation(protocol),
                "test": v.test(protocol)} for v in variations]  # fmt: skip
    write_json(folder.path / "ablation.json", {"protocol": protocol, "variations": content})
    factors = list(dict.fromkeys(variation.factor for variation in variations))
    groups = {name: [variation for variation in variations if variation.factor == name] for name in factors}
    _draw(groups, base, protocol, folder)
    tables = [f"{factor}\n\n{_table(group, protocol)}" for factor, group in groups.items()]
    compared = "\n\n".join([*tables, *graph_effect(variations, protocol)])
    explanation = (
        "One setting is changed at a time, all others stay as they are. `own` marks the setting of the method itself. "
        "The last column is the difference to it on test, mean over seeds with its standard error."
    )
    parts = [
        f"# Ablation of {base.method} on {base.dataset}",
        f"{explanation} {how(base, folder)}",
        compared,
        "![mAP by setting](plots/ablation.png)",
        "## All measures",
        measure_tables(_as_variants(variations), protocol),
    ]
    folder.write_report_files(parts)
    print(f"\nmAP, {protocol}, both directions averaged\n\n{compared}\n\nReport: {folder.path / 'report.html'}")


def _as_variants(variations: Sequence[Variation]) -> list[Result]:
    """The results of all variations as variants of the method; those of the method itself once."""
    own = next(variation for variation in variations if variation.is_own)
    changed = [variation for variation in variations if not variation.is_own]
    return [
        *own.results,
        *(replace(each, variant=f"{v.factor} {v.value}") for v in changed for each in v.results),
    ]


def _table(group: Sequence[Variation], protocol: str) -> str:
    own = next(variation for variation in group if variation.is_own)
    rows = []
    for variation in group:
        gaps = _differences(variation, own, protocol)
        spreads = [format_spread(values) for values in (variation.validation(protocol), variation.test(protocol))]
        rows.append([str(variation.value), *spreads, "own" if variation.is_own else _with_error(gaps)])
    return markdown_table([group[0].factor, "validation mAP", "test mAP", "difference on test"], rows)


def _differences(left: Variation, right: Variation, protocol: str) -> list[float]:
    """The difference in mAP of each seed."""
    return [a - b for a, b in zip(left.test(protocol), right.test(protocol), strict=True)]


def _with_error(values: Sequence[float]) -> str:
    """A mean with its standard error, which one value does not have."""
    mean = f"{statistics.fmean(values):+.3f}"
    return f"{mean} ± {statistics.stdev(values) / math.sqrt(len(values)):.3f}" if len(values) > 1 else mean


def graph_effect(variations: Sequence[Variation], protocol: str) -> list[str]:
    """A sentence on how the label graph changes mAP: the best number of hops on validation, against no hops."""
    hops = [variation for variation in variations if variation.factor == "hops"]
    none = [variation for variation in hops if variation.value == 0]
    some = [variation for variation in hops if variation.value != 0]
    if not none or not some:
        return []
    best = max(some, key=lambda variation: statistics.fmean(variation.validation(protocol)))
    gaps = _differences(best, none[0], protocol)
    return [
        f"Over {counted(len(gaps), 'seed')}, the label graph changes mAP on test by {_with_error(gaps)} "
        f"({counted(best.value, 'hop')}, the best number on validation, compared with no hops). {_significance(gaps)}"
    ]


def _significance(gaps: Sequence[float]) -> str:
    """Whether differences are significant, by Student's t interval over seeds."""
    if len(gaps) < 2:
        return "One seed does not show whether the difference is significant."
    mean, error = statistics.fmean(gaps), statistics.stdev(gaps) / math.sqrt(len(gaps))
    margin = error * float(student_t.ppf(0.975, len(gaps) - 1))
    verdict = "is significant" if abs(mean) > margin else "is not significant"
    return f"The difference {verdict} (95 % interval {mean - margin:+.3f} to {mean + margin:+.3f})."


def _draw(groups: Mapping[str, Sequence[Variation]], base: RunConfig, protocol: str, folder: RunFolder) -> None:
    """Draw one panel for each factor."""
    figure = Figure(figsize=(3.4 * len(groups), 3.8), layout="constrained")
    axes = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    shown = [
        value for group in groups.values() for v in group for value in (*v.validation(protocol), *v.test(protocol))
    ]
    for ax, group in zip(axes, groups.values(), strict=True):
        _plot(ax, group, protocol, _floor(shown))
    axes[0].set_ylabel("mAP, both directions averaged")
    axes[-1].legend(fontsize="small", edgecolor="none")
    figure.suptitle(f"{base.method} on {base.dataset}, {protocol}, seeds {' '.join(map(str, base.seeds))}")
    save(figure, folder, "ablation.png")


FAR = 4.0  # A value so many interquartile ranges below the first quartile would flatten the plot.


def _floor(values: Sequence[float]) -> float:
    """The lowest value on the axis; lower values are written as numbers at its end."""
    first, _, third = statistics.quantiles(values, n=4)
    near = [value for value in values if value >= first - FAR * max(third - first, 0.01)]
    return min(near)


def _plot(ax: Axes, group: Sequence[Variation], protocol: str, floor: float) -> None:
    """Draw a column for each value: seeds as dots and means as bars, on validation and test."""
    for shift, name, color in ((-0.15, "validation", "C1"), (0.15, "test", "C0")):
        for place, variation in enumerate(group):
            values = getattr(variation, name)(protocol)
            mean, x, label = statistics.fmean(values), place + shift, name if place == 0 else None
            if mean < floor:
                ax.plot(x, floor, "v", color=color, ms=6, label=label)
                above: dict[str, Any] = {"xytext": (0, 6), "textcoords": "offset points", "ha": "center", "fontsize": 8}
                ax.annotate(f"{mean:.2f}", (x, floor), color=color, rotation=90, **above)
                continue
            ax.plot([x] * len(values), values, "o", color=color, ms=3.5, alpha=0.6, label=label)
            ax.plot([x - 0.1, x + 0.1], [mean] * 2, color=color, lw=2)
    ax.set_xticks(range(len(group)), [f"{v.value}\n(own)" if v.is_own else str(v.value) for v in group])
    ax.set_title(group[0].factor)
    ax.grid(axis="y", alpha=0.3)
