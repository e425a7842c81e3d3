"""Curves."""

import pytest
import torch
from matplotlib.figure import Figure

from labelgraph.metrics import RetrievalReport
from labelgraph.probability import reliability_curve
from labelgraph.report import (
    Result,
    plot_discriminators,
    plot_precision_recall,
    plot_quality,
    plot_reliability,
    plot_training,
)

HISTORIES = {
    3: [
        {"epoch": 0, "total": 4.0, "pairwise": 2.0, "image_to_text": 0.1, "text_to_image": 0.3, "validation_map": 0.2},
        {"epoch": 1, "total": 3.0, "pairwise": 1.0, "image_to_text": 0.5, "text_to_image": 0.7, "validation_map": 0.6},
        {"epoch": 2, "total": 2.0, "pairwise": 0.5, "image_to_text": 0.4, "text_to_image": 0.6, "validation_map": 0.5},
    ],
    4: [{"epoch": 0, "total": 9.0, "pairwise": 8.0, "validation_map": 0.4}],
}


def curves(ax):
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines}


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_training_curves():
    loss, quality = Figure().subplots(1, 2)
    plot_training(HISTORIES, loss, quality, "validation")
    assert curves(loss) == {"total": ([1, 2, 3], [4.0, 3.0, 2.0]), "pairwise": ([1, 2, 3], [2.0, 1.0, 0.5])}
    assert legend(loss) == ["total", "pairwise"] and "seed 3" in loss.get_title()
    drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in quality.lines]
    assert drawn == [([1, 2, 3], [0.2, 0.6, 0.5]), ([2], [0.6]), ([1], [0.4]), ([1], [0.4])]
    assert legend(quality) == ["seed 3", "seed 4"] and "validation" in quality.get_title()


def result(method, seed, *precision):
    reports = [RetrievalReport(0.5, [], [], [], [0.0, 1.0], list(each), 1, 0) for each in precision]
    return Result(method, seed, "test-vs-test", *reports)


def test_precision_recall_curves_are_means_over_seeds():
    axes = Figure().subplots(1, 2)
    results = [
        result("algcn", 0, [1.0, 0.5], [0.8, 0.2]),
        result("ridge", None, [0.5, 0.1], [0.4, 0.0]),
        result("algcn", 1, [0.5, 0.25], [0.6, 0.4]),
    ]
    plot_precision_recall(results, axes)
    left, right = map(curves, axes)
    assert left == {"algcn": ([0.0, 1.0], [0.75, 0.375]), "ridge": ([0.0, 1.0], [0.5, 0.1])}
    assert right["algcn"][1] == pytest.approx([0.7, 0.3])
    assert [ax.get_title() for ax in axes] == ["Image to text", "Text to image"]


def test_trainings_that_chose_no_epoch_have_no_quality_curve():
    ax = Figure().subplots()
    plot_quality({"algcn": HISTORIES[3], "agah": [{"epoch": 0, "total": 1.0}]}, ax, "validation")
    assert legend(ax) == ["algcn"] and len(ax.lines) == 2
    plot_quality({"agah": [{"epoch": 0, "total": 1.0}]}, Figure().subplots(), "validation")


def test_discriminators_are_drawn_by_space_and_kind():
    shares = {"precision_image_real": 0.9, "precision_image_generated": 0.8, "precision_text_real": 0.4}
    rows = [{"epoch": 0, "total": 3.0, **shares}, {"epoch": 1, "total": 2.0, **dict.fromkeys(shares, 0.5)}]
    ax, loss_ax, quality_ax = Figure().subplots(1, 3)
    plot_discriminators(rows, ax)
    drawn = curves(ax)
    assert drawn["image, real"] == ([1, 2], [0.9, 0.5]) and drawn["text, real"] == ([1, 2], [0.4, 0.5])
    assert legend(ax) == ["image, real", "image, generated", "text, real"]
    plot_training({0: rows}, loss_ax, quality_ax, "validation")
    assert legend(loss_ax) == ["total"]


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
