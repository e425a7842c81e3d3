"""The reliability diagram shows the curves that it is given."""

import pytest
import torch

from labelgraph.nn import reliability_curve
from labelgraph.report import plot_reliability

Figure = pytest.importorskip("matplotlib.figure").Figure


def test_each_curve_is_drawn_over_the_diagonal():
    probabilities, labels = torch.tensor([[0.1, 0.1, 0.9]]), torch.tensor([[0.0, 1.0, 1.0]])
    before, after = reliability_curve(probabilities, labels, 5), reliability_curve(probabilities**2, labels, 5)
    ax = Figure().subplots()
    plot_reliability({"before": before, "after": after}, ax)
    diagonal, first, _ = ax.get_lines()
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 1]
    assert first.get_xydata().flatten().tolist() == pytest.approx([0.1, 0.5, 0.9, 1.0])
    dots = ax.collections[0].get_sizes()
    assert dots[0] > dots[1]  # Two probabilities against one.
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["before", "after"]
    ax.figure.canvas.draw()
