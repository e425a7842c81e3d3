"""Curves: training, precision-recall, reliability, discriminators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labelgraph.metrics import DIRECTIONS
from labelgraph.probability import ReliabilityCurve
from labelgraph.report.tables import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Not losses, among the columns of a history.
QUALITY = ("image_to_text", "text_to_image", "validation_map")
PRECISION = "precision_"


def plot_training(
    histories: Mapping[int, Sequence[Mapping[str, float]]], loss_ax: Axes, quality_ax: Axes, split: str
) -> None:
    """Draw each loss term of the first seed, and the mAP of every seed, over epochs.

    Args:
        histories: Rows an epoch, by seed.
        loss_ax: For the losses.
        quality_ax: For the mAP on the items to choose on.
        split: The name of those items.
    """
    seed, rows = next(iter(histories.items()))
    epochs = [row["epoch"] + 1 for row in rows]
    for name in rows[0]:
        if name not in ("epoch", *QUALITY) and not name.startswith(PRECISION):
            loss_ax.plot(epochs, [row[name] for row in rows], label=name, lw=2 if name == "total" else 1.2)
    _finish(loss_ax, f"Training loss, seed {seed} (terms unweighted)", "epoch", "loss")
    plot_quality({f"seed {seed}": rows for seed, rows in histories.items()}, quality_ax, split)


def plot_quality(histories: Mapping[str, Sequence[Mapping[str, float]]], ax: Axes, split: str) -> None:
    """Draw the mAP of several trainings over epochs, by name; those that chose no epoch are left out."""
    for name, rows in histories.items():
        values = [row["validation_map"] for row in rows if "validation_map" in row]
        if values:
            best = values.index(max(values))
            (line,) = ax.plot(range(1, len(values) + 1), values, lw=1.2, label=name)
            ax.plot(best + 1, values[best], "o", color=line.get_color(), ms=5)
    _finish(ax, f"mAP on {split}, best epoch marked", "epoch", "mAP, both ways averaged")


def plot_discriminators(rows: Sequence[Mapping[str, float]], ax: Axes) -> None:
    """Draw, over the epochs of a training, the share of each kind of features that a discriminator tells rightly.

    Where the two lines of a space add up to 1, its discriminator is fooled.
    """
    for name in rows[0]:
        if name.startswith(PRECISION):
            space, kind = name.removeprefix(PRECISION).split("_")
            color, dashes = ("C0" if space == "image" else "C1"), ("-" if kind == "real" else "--")
            values = [row[name] for row in rows]
            ax.plot(range(1, len(rows) + 1), values, color=color, ls=dashes, label=f"{space}, {kind}")
    ax.axhline(0.5, color="0.6", lw=0.8, zorder=0)
    ax.set_ylim(-0.03, 1.03)
    _finish(ax, "Told rightly by the discriminators", "epoch", "share of features")


def plot_precision_recall(results: Sequence[Result], axes: Sequence[Any]) -> None:
    """Draw precision at recall under one protocol, averaged over the seeds of each method, one axes a direction."""
    methods: dict[str, list[Result]] = {}
    for result in results:
        name = f"{result.method}, {result.variant}" if result.variant else result.method
        methods.setdefault(name, []).append(result)
    for ax, way in zip(axes, DIRECTIONS, strict=True):
        for name, group in methods.items():
            reports = [getattr(result, way) for result in group]
            curves = zip(*(report.precision_at_recall for report in reports), strict=True)
            ax.plot(reports[0].recall, [sum(values) / len(values) for values in curves], label=name, lw=1.5)
        ax.set(xlim=(0, 1), ylim=(0, 1))
        _finish(ax, way.replace("_", " ").capitalize(), "recall", "precision")
        ax.get_legend().remove()
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), edgecolor="none", fontsize="small")  # Clear of the curves.


def _finish(ax: Axes, title: str, x: str, y: str) -> None:
    ax.set(title=title, xlabel=x, ylabel=y)
    if x == "epoch":
        ax.locator_params(axis="x", integer=True)
    ax.grid(alpha=0.3)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(framealpha=0.7, edgecolor="none", fontsize="small")


SMALLEST, LARGEST = 3.0, 11.0  # Of the dots, in points.


def plot_reliability(curves: Mapping[str, ReliabilityCurve], ax: Axes) -> None:
    """Draw what came true over what was predicted, such as before and after a calibration.

    Calibrated probabilities lie on the diagonal; larger dots stand for more of them, by the logarithm of their count.

    Args:
        curves: Of `reliability_curve`, by what the legend shall call them.
        ax: Where to draw.
    """
    ax.plot([0, 1], [0, 1], color="0.6", lw=0.8, zorder=0)
    for name, curve in curves.items():
        held = curve.count > 0
        predicted, observed, count = (each[held] for each in (curve.predicted, curve.observed, curve.count))
        share = count.double().log1p() / count.double().log1p().max()
        (line,) = ax.plot(predicted, observed, lw=1.2, label=name)
        size = (SMALLEST + (LARGEST - SMALLEST) * share) ** 2
        ax.scatter(predicted, observed, size, color=line.get_color(), alpha=0.7, linewidths=0)
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted probability", ylabel="share that came true", title="Reliability")
    ax.set_aspect("equal")
    ax.grid(alpha=0.3)
    ax.legend(framealpha=0.7, edgecolor="none", fontsize="small")
