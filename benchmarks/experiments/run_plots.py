"""The plots of a run, and the calibration of its label probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import cast

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch_geometric.data import Data

from benchmarks.experiments.run_folder import RunFolder, held_out
from benchmarks.experiments.run_settings import RunConfig
from labelgraph._core.files import open_atomic
from labelgraph.data import CrossModalData
from labelgraph.graph import BinaryAdjacency, Threshold
from labelgraph.inference import fit_calibrations, label_scores
from labelgraph.methods import ExpectedRelevance, LabelGraphMethod, Method, load_method, method_class
from labelgraph.metrics import PROTOCOLS
from labelgraph.nn import StaticAdjacency, dense_adjacency
from labelgraph.probability import Calibration, expected_calibration_error, reliability_curve
from labelgraph.report import (
    Result,
    draw_graph,
    draw_heat_map,
    grouped_order,
    markdown_table,
    plot_discriminators,
    plot_precision_recall,
    plot_reliability,
    plot_training,
)

History = Sequence[Mapping[str, float]]


def captions(config: RunConfig) -> dict[str, str]:
    """The caption of each plot of a run, by file name."""
    method = method_class(config.method)
    threshold = _threshold(config)
    shown = {"training.png": "Loss terms and mAP over the epochs. A dot marks the chosen epoch."}
    if method.generates:
        shown["discriminators.png"] = (
            "The share of real and of generated features that each discriminator classifies correctly. If the two "
            "lines of a side add up to 1, the discriminator is no better than chance."
        )
    shown["precision-recall.png"] = "Precision at each recall level, mean over queries and seeds."
    shown["label-graph.png"] = (
        f"The label graph of the training items, with conditional probabilities of at least {threshold}. An arrow a -> "
        "b reads: if label a, then label b."
    )
    if issubclass(method, LabelGraphMethod):
        shown["adjacency.png"] = (
            "The propagation weights between labels: as counted (binary and normalised), after training, and their "
            "difference."
        )
    return shown


def write_plots(
    folder: RunFolder,
    config: RunConfig,
    graph: Data,
    results: Sequence[Result],
    histories: Mapping[int, History],
    model: Path,
) -> None:
    """Draw all plots of a run; ``model`` is the trained model whose adjacency is shown."""
    split = "validation" if config.train.select == "last" else config.train.select
    shown = captions(config)
    figure = Figure(figsize=(11, 4), layout="constrained")
    loss_ax, quality_ax = figure.subplots(1, 2)
    plot_training(histories, loss_ax, quality_ax, split)
    save(figure, folder, "training.png")
    if "discriminators.png" in shown:
        figure = Figure(figsize=(6, 4), layout="constrained")
        plot_discriminators(next(iter(histories.values())), figure.subplots())
        save(figure, folder, "discriminators.png")
    draw_precision_recall(folder, config, results)
    figure = Figure(figsize=(11, 9), layout="constrained")
    draw_graph(Threshold(_threshold(config))(graph), figure.subplots())
    save(figure, folder, "label-graph.png")
    if "adjacency.png" in shown:
        _draw_adjacency(folder, config, graph, model)


def draw_precision_recall(folder: RunFolder, config: RunConfig, results: Sequence[Result]) -> None:
    """Draw precision at each recall level under the first protocol."""
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    protocol = config.eval.protocols[0]
    plot_precision_recall([result for result in results if result.protocol == protocol], figure.subplots(1, 2))
    figure.suptitle(protocol)
    save(figure, folder, "precision-recall.png")


def _threshold(config: RunConfig) -> float:
    return float(getattr(config.model, "threshold", 0.4))


SHOWN_LABELS = 24  # More names would not be legible.


def _draw_adjacency(folder: RunFolder, config: RunConfig, graph: Data, model: Path) -> None:
    """Draw heat maps of the propagation weights as counted and after training, and of their difference.

    If there are many labels, those whose weights changed most are shown.
    """
    method = load_method(model)
    with torch.no_grad():
        _, edge_index, edge_weight = method.label_branch()  # type: ignore[operator]
    learned = dense_adjacency(edge_index, edge_weight, graph.num_nodes)
    edge_index, edge_weight = StaticAdjacency(BinaryAdjacency(_threshold(config))(graph))()
    counted = dense_adjacency(edge_index, edge_weight, graph.num_nodes)
    changed = (learned - counted).abs()
    most = (changed.sum(0) + changed.sum(1)).topk(min(SHOWN_LABELS, len(counted))).indices.sort().values
    learned, counted = learned[most][:, most], counted[most][:, most]
    order = grouped_order(counted)
    figure = Figure(figsize=(16, 5.8), layout="constrained")
    names = [graph.label_names[i] for i in most[order].tolist()]
    limit = max(counted.max().item(), learned.max().item())
    panels = {"counted": (counted, limit), "after training": (learned, limit), "difference": (learned - counted, None)}
    for ax, (title, (matrix, end)) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        image = draw_heat_map(matrix[order][:, order], names, ax, title, end)
        figure.colorbar(image, ax=ax, shrink=0.75)
    if len(names) < graph.num_nodes:
        figure.suptitle(f"The {len(names)} of {graph.num_nodes} labels whose weights changed most")
    save(figure, folder, "adjacency.png")


def save(figure: Figure, folder: RunFolder, name: str) -> None:
    """Write a picture into the folder of a run."""
    folder.plots.mkdir(exist_ok=True)
    with open_atomic(folder.plots / name) as file:
        figure.savefig(file, dpi=110)


Probabilities = dict[str, dict[str, Tensor]]
STAGES = ("before", "after")


def ranks_by_probabilities(config: RunConfig) -> bool:
    """Whether a run ranks by calibrated label probabilities; hash codes do not use the calibration."""
    return config.eval.score != "own" or (config.method == ExpectedRelevance.name and config.model.bits is None)


def write_reliability(folder: RunFolder, config: RunConfig, data: CrossModalData, models: Mapping[int, Path]) -> str:
    """Draw reliability diagrams of the first seed, and return a section with the calibration errors of all seeds.

    They are measured on the queries of the first protocol, which are not used for training or calibration.
    """
    queries = data.split(PROTOCOLS[config.eval.protocols[0]][0])
    by_seed = {seed: _probabilities(load_method(path), config, data, queries) for seed, path in models.items()}
    first = next(iter(by_seed.values()))
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    for ax, (side, stages) in zip(figure.subplots(1, 2), first.items(), strict=True):
        plot_reliability({name: reliability_curve(each, queries.labels) for name, each in stages.items()}, ax)
        ax.set_title(f"{side.capitalize()}s, before and after calibration")
    save(figure, folder, "reliability.png")
    rows = [
        [side, *(f"{fmean(_error(each[side][name], queries) for each in by_seed.values()):.4f}" for name in STAGES)]
        for side in first
    ]
    table = markdown_table(["probabilities of", "before", "after"], rows)
    return (
        "## Calibration\n\nExpected calibration error of the label probabilities on the queries, before and after the "
        f"calibration on held-out items, mean over seeds.\n\n{table}\n\n"
        "![Observed frequencies against predicted probabilities, first seed](plots/reliability.png)"
    )


def _probabilities(method: Method, config: RunConfig, data: CrossModalData, queries: CrossModalData) -> Probabilities:
    """Label probabilities of each side, before and after calibration."""
    if isinstance(method, ExpectedRelevance):
        own = {side: cast(Calibration, each) for side, each in method.calibrations.items()}
    else:
        own = fit_calibrations(method, held_out(config, data))
    scores = label_scores(method, queries)
    return {side: {"before": scores[side].sigmoid(), "after": own[side](scores[side]).sigmoid()} for side in own}


def _error(probabilities: Tensor, queries: CrossModalData) -> float:
    return expected_calibration_error(probabilities, queries.labels)
