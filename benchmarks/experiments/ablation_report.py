"""What an ablation found: a table a factor, a plot, and whether the graph helped."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.experiments.run_folder import RunFolder
from benchmarks.experiments.run_plots import save
from benchmarks.experiments.run_report import how
from benchmarks.experiments.run_settings import RunConfig
from labelgraph._core.files import write_text
from labelgraph._core.json_files import write_json
from labelgraph.nn import ADJACENCIES
from labelgraph.report import Result, markdown_table

# What is changed, the setting that it is, and its values.
FACTORS: dict[str, tuple[str, list[Any]]] = {
    "hops": ("num_layers", [0, 1, 2, 3, 5]),
    "adjacency": ("adjacency", list(ADJACENCIES)),
    "threshold": ("threshold", [0.2, 0.4, 0.6]),
    "embedding": ("label_embedding", ["learned", "pmi-svd", "one-hot"]),
}


@dataclass(frozen=True)
class Variation:
    """One value of one factor.

    Args:
        factor: Key of ``FACTORS``.
        value: Its value.
        is_own: Whether the method has this value anyway.
        results: Of every seed and protocol.
    """

    factor: str
    value: Any
    is_own: bool
    results: list[Result] = field(default_factory=list)

    def test(self, protocol: str) -> list[float]:
        """The mAP of every seed, both ways averaged."""
        return [result.average for result in self.results if result.protocol == protocol]

    def validation(self, protocol: str) -> list[float]:
        """The mAP of every seed on the items to choose on."""
        return [result.best_map or math.nan for result in self.results if result.protocol == protocol]


def write_ablation(folder: RunFolder, base: RunConfig, variations: Sequence[Variation]) -> None:
    """Write and print the tables, and draw the plot."""
    protocol = base.eval.protocols[0]
    factors = list(dict.fromkeys(variation.factor for variation in variations))
    figure = Figure(figsize=(3.4 * len(factors), 3.8), layout="constrained")
    axes = figure.subplots(1, len(factors), sharey=True, squeeze=False)[0]
    tables = []
    floor = _floor([value for v in variations for value in (*v.validation(protocol), *v.test(protocol))])
    for ax, factor in zip(axes, factors, strict=True):
        group = [variation for variation in variations if variation.factor == factor]
        _plot(ax, group, protocol, floor)
        tables.append(f"{factor}\n\n{_table(group, protocol)}")
    axes[0].set_ylabel("mAP, both directions averaged")
    axes[-1].legend(fontsize="small", edgecolor="none")
    figure.suptitle(f"{base.method} on {base.dataset}, {protocol}, seeds {' '.join(map(str, base.seeds))}")
    save(figure, folder, "ablation.png")
    content = [{"factor": v.factor, "value": v.value, "own": v.is_own, "validation": v.validation(protocol),
                "test": v.test(protocol)} for v in variations]  # fmt: skip
    write_json(folder.path / "ablation.json", {"protocol": protocol, "variations": content})
    said = "\n\n".join([*tables, *_verdict(variations, protocol)])
    head = f"# What the parts of {base.method} are worth on {base.dataset}\n\nOne setting is changed at a time, all "
    head += (
        "others stay. `own` marks the method as it is. The difference is to it, seed by seed, with its standard error. "
    )
    picture = "![mAP by setting](plots/ablation.png)"
    write_text(folder.path / "report.md", f"{head}{how(base, folder)}\n\n{said}\n\n{picture}\n")
    print(f"\n{protocol}, both ways averaged\n\n{said}\n\nReport: {folder.path / 'report.md'}")


def _table(group: Sequence[Variation], protocol: str) -> str:
    own = next(variation for variation in group if variation.is_own)
    rows = []
    for variation in group:
        difference = "own" if variation.is_own else _difference(variation, own, protocol)[0]
        rows.append([str(variation.value), _spread(variation.validation(protocol)), _spread(variation.test(protocol)),
                     difference])  # fmt: skip
    return markdown_table([group[0].factor, "validation mAP", "test mAP", "difference on test"], rows)


def _spread(values: Sequence[float]) -> str:
    mean = statistics.fmean(values)
    return f"{mean:.3f} ± {statistics.stdev(values):.3f}" if len(values) > 1 else f"{mean:.3f}"


def _difference(left: Variation, right: Variation, protocol: str) -> tuple[str, float, float]:
    """Mean difference over seeds, as text and as number, and its standard error (infinite for one seed)."""
    pairs = zip(left.test(protocol), right.test(protocol), strict=True)
    gaps = [a - b for a, b in pairs]
    mean = statistics.fmean(gaps)
    if len(gaps) < 2:
        return f"{mean:+.3f}", mean, math.inf
    error = statistics.stdev(gaps) / math.sqrt(len(gaps))
    return f"{mean:+.3f} ± {error:.3f}", mean, error


def _verdict(variations: Sequence[Variation], protocol: str) -> list[str]:
    """Whether hops over the graph helped: the best number of hops by validation, against none."""
    hops = [variation for variation in variations if variation.factor == "hops"]
    none = [variation for variation in hops if variation.value == 0]
    some = [variation for variation in hops if variation.value != 0]
    if not none or not some:
        return []
    best = max(some, key=lambda variation: statistics.fmean(variation.validation(protocol)))
    text, mean, error = _difference(best, none[0], protocol)
    told = (
        "helped" if mean > 2 * error else "harmed" if mean < -2 * error else "made no difference that these seeds show"
    )
    chosen = f"{best.value} hop{'s' if best.value != 1 else ''}"
    return [
        f"**The label graph {told}.** {chosen}, the best number by validation, against none: {text} mAP on test, "
        "mean over seeds with its standard error; told as a difference where it is more than two of these."
    ]


FAR = 4.0  # Quartile distances below the first quartile: such a value would flatten all others.


def _floor(values: Sequence[float]) -> float:
    """The lowest value that the axis shows; lower ones are written at its end."""
    first, _, third = statistics.quantiles(values, n=4)
    near = [value for value in values if value >= first - FAR * max(third - first, 0.01)]
    return min(near)


def _plot(ax: Axes, group: Sequence[Variation], protocol: str, floor: float) -> None:
    """A column a value: seeds as dots, means as bars, on test and on validation."""
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
