"""Whether the label probabilities that a run ranks by can be taken at their word."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import cast

from matplotlib.figure import Figure
from torch import Tensor

from benchmarks.config import RunConfig
from benchmarks.data import held_out
from benchmarks.plots import save
from benchmarks.run_folder import RunFolder
from labelgraph.data import CrossModalData
from labelgraph.methods import ExpectedRelevance, Method, load_method
from labelgraph.nn import Calibration, expected_calibration_error, reliability_curve
from labelgraph.report import markdown_table, plot_reliability
from labelgraph.retrieval import PROTOCOLS
from labelgraph.train import fit_calibrations, label_scores

Probabilities = dict[str, dict[str, Tensor]]
STAGES = ("before", "after")


def ranks_by_probabilities(config: RunConfig) -> bool:
    """Whether calibrated probabilities decide what is near: not for codes, which are as they were learned."""
    return config.eval.score != "own" or (config.method == ExpectedRelevance.name and config.model.bits is None)


def write_reliability(folder: RunFolder, config: RunConfig, data: CrossModalData, models: Mapping[int, Path]) -> str:
    """Draw reliability diagrams of the first seed, and give a section with the calibration errors of all.

    Measured on the queries of the first protocol, which neither training nor calibration has seen.
    """
    queries = data.split(PROTOCOLS[config.eval.protocols[0]][0])
    found = {seed: _probabilities(load_method(path), config, data, queries) for seed, path in models.items()}
    first = next(iter(found.values()))
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    for ax, (side, stages) in zip(figure.subplots(1, 2), first.items(), strict=True):
        plot_reliability({name: reliability_curve(each, queries.labels) for name, each in stages.items()}, ax)
        ax.set_title(f"{side.capitalize()}s, before and after calibration")
    save(figure, folder, "reliability.png")
    rows = [
        [side, *(f"{fmean(_error(each[side][name], queries) for each in found.values()):.4f}" for name in STAGES)]
        for side in first
    ]
    table = markdown_table(["probabilities of", "before", "after"], rows)
    return (
        "## Calibration\n\nExpected calibration error of the label probabilities, before and after the calibration on "
        f"held-out items; mean over seeds, measured on the queries.\n\n{table}\n\n"
        "![What came true over what was predicted, of the first seed](plots/reliability.png)"
    )


def _probabilities(method: Method, config: RunConfig, data: CrossModalData, queries: CrossModalData) -> Probabilities:
    """By side, label probabilities before and after calibration."""
    if isinstance(method, ExpectedRelevance):
        own = {side: cast(Calibration, each) for side, each in method.calibrations.items()}
    else:
        own = fit_calibrations(method, held_out(config, data))
    scores = label_scores(method, queries)
    return {side: {"before": scores[side].sigmoid(), "after": own[side](scores[side]).sigmoid()} for side in own}


def _error(probabilities: Tensor, queries: CrossModalData) -> float:
    return expected_calibration_error(probabilities, queries.labels)
