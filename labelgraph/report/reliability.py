"""Reliability diagrams, onto matplotlib axes that the caller gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from labelgraph.nn import ReliabilityCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
