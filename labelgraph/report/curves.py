"""Curves: training, precision-recall, reliability, discriminators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labelgraph.metrics import DIRECTIONS
from labelgraph.probability import ReliabilityCurve
from labelgraph.report.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# One style for each method in all plots; styles of similar methods differ where lines overlap.
METHOD_STYLES: dict[str, dict[str, Any]] = {
    "expected-relevance": {"color": "#d62728", "ls": "-", "lw": 2.0},
    "algcn": {"color": "#1f77b4", "ls": "-"},
    "dagnn": {"color": "#ff7f0e", "ls": "--"},
    "p-gnn-con": {"color": "#2ca02c", "ls": "-"},
    "i-gnn-con": {"color": "#9467bd", "ls": (0, (4, 2)), "lw": 2.0},
    "agah": {"color": "#8c564b", "ls": "-."},
    "ridge": {"color": "#555555", "ls": ":"},
    "cca": {"color": "#bcbd22", "ls": ":"},
    "pls": {"color": "#17becf", "ls": ":"},
    "random": {"color": "#bbbbbb", "ls": ":"},
}


def method_style(name: str) -> dict[str, Any]:
    """The line style of a method; a variant, such as ``"dagnn, 64 bits"``, has that of its method."""
    return {"lw": 1.4, **METHOD_STYLES.get(name.partition(",")[0], {})}


# Columns of a history that are not losses.
QUALITY = ("image_to_text", "text_to_image", "validation_map")
PRECISION = "precision_"


def plot_training(
    histories: Mapping[int, Sequence[Mapping[str, float]]], loss_ax: Axes, quality_ax: Axes, split: str
) -> None:
    """Plot the loss terms of the first seed and the mAP of all seeds over the epochs.

    Args:
        histories: For each seed, a row for each epoch.
        loss_ax: Axes for the losses.
        quality_ax: Axes for the mAP.
        split: Name of the split of the mAP, on which the epoch is chosen.
    """
    seed, rows = next(iter(histories.items()))
    epochs = [row["epoch"] + 1 for row in rows]
    for name in rows[0]:
        if name not in ("epoch", *QUALITY) and not name.startswith(PRECISION):
            loss_ax.plot(epochs, [row[name] for row in rows], label=name, lw=2 if name == "total" else 1.2)
    _finish(loss_ax, f"Training loss, seed {seed} (unweighted terms)", "epoch", "loss")
    plot_quality({f"seed {seed}": rows for seed, rows in histories.items()}, quality_ax, split)


def plot_quality(histories: Mapping[str, Sequence[Mapping[str, float]]], ax: Axes, split: str) -> None:
    """Plot the mAP of several trainings, by name, over the epochs; trainings without validation are left out."""
    for name, rows in histories.items():
        values = [row["validation_map"] for row in rows if "validation_map" in row]
        if values:
            best = values.index(max(values))
            (line,) = ax.plot(range(1, len(values) + 1), values, label=name, **method_style(name))
            ax.plot(best + 1, values[best], "o", color=line.get_color(), ms=5)
    _finish(ax, f"mAP on {split}, best epoch marked", "epoch", "mAP, both directions averaged")


def plot_discriminators(rows: Sequence[Mapping[str, float]], ax: Axes) -> None:
    """Plot the share of real and of generated features that each discriminator classifies correctly over the epochs.

    If the two lines of a side add up to 1, its discriminator is no better than chance.
    """
    for name in rows[0]:
        if name.startswith(PRECISION):
            space, kind = name.removeprefix(PRECISION).split("_")
            color, dashes = ("C0" if space == "image" else "C1"), ("-" if kind == "real" else "--")
            values = [row[name] for row in rows]
            ax.plot(range(1, len(rows) + 1), values, color=color, ls=dashes, label=f"{space}, {kind}")
    ax.axhline(0.5, color="0.6", lw=0.8, zorder=0)
    ax.set_ylim(-0.03, 1.03)
    _finish(ax, "Accuracy of the discriminators", "epoch", "share classified correctly")


def plot_precision_recall(results: Sequence[Result], axes: Sequence[Any]) -> None:
    """Plot precision at each recall level, averaged over the seeds of a method, one axes for each direction."""
    methods: dict[str, list[Result]] = {}
    for result in results:
        name = f"{result.method}, {result.variant}" if result.variant else result.method
        methods.setdefault(name, []).append(result)
    for ax, way in zip(axes, DIRECTIONS, strict=True):
        for name, group in methods.items():
            reports = [getattr(result, way) for result in group]
            curves = zip(*(report.precision_at_recall for report in reports), strict=True)
            mean = [sum(values) / len(values) for values in curves]
            ax.plot(reports[0].recall, mean, label=name, **method_style(name))
        ax.set(xlim=(0, 1), ylim=(0, 1))
        _finish(ax, way.replace("_", " ").capitalize(), "recall", "precision")
        ax.get_legend().remove()
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), edgecolor="none", fontsize="small")  # Beside the curves.


def _finish(ax: Axes, title: str, x: str, y: str) -> None:
    ax.set(title=title, xlabel=x, ylabel=y)
    if x == "epoch":
        ax.locator_params(axis="x", integer=True)
    ax.grid(alpha=0.3)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(framealpha=0.7, edgecolor="none", fontsize="small")


SMALLEST, LARGEST = 3.0, 11.0  # Diameters of dots, in points.


def plot_reliability(curves: Mapping[str, ReliabilityCurve], ax: Axes) -> None:
    """Plot observed frequencies against predicted probabilities, for instance before and after calibration.

    Calibrated probabilities lie on the diagonal. The area of a dot grows with the logarithm of its count.

    Args:
        curves: Curves of `reliability_curve`, by their name in the legend.
        ax: Axes to draw on.
    """
    ax.plot([0, 1], [0, 1], color="0.6", lw=0.8, zorder=0)
    for name, curve in curves.items():
        held = curve.count > 0
        predicted, observed, count = (each[held] for each in (curve.predicted, curve.observed, curve.count))
        share = count.double().log1p() / count.double().log1p().max()
        (line,) = ax.plot(predicted, observed, lw=1.2, label=name)
        size = (SMALLEST + (LARGEST - SMALLEST) * share) ** 2
        ax.scatter(predicted, observed, size, color=line.get_color(), alpha=0.7, linewidths=0)
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted probability", ylabel="observed frequency", title="Reliability")
    ax.set_aspect("equal")
    ax.grid(alpha=0.3)
    ax.legend(framealpha=0.7, edgecolor="none", fontsize="small")
