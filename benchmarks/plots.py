"""The pictures of a run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch_geometric.data import Data

from benchmarks.config import RunConfig
from benchmarks.run_folder import RunFolder
from labelgraph.graph import BinaryAdjacency, Threshold
from labelgraph.methods import LabelGraphMethod, load_method, method_class
from labelgraph.nn import StaticAdjacency, dense_adjacency
from labelgraph.report import (
    Result,
    draw_graph,
    draw_heat_map,
    grouped_order,
    plot_discriminators,
    plot_precision_recall,
    plot_training,
)

History = Sequence[Mapping[str, float]]


def captions(config: RunConfig) -> dict[str, str]:
    """What each picture of a run shows, by file name."""
    method = method_class(config.method)
    threshold = _threshold(config)
    shown = {"training.png": "Loss terms and mAP over the epochs; the marked epoch was chosen."}
    if method.generates:
        shown["discriminators.png"] = (
            "The share of each kind of features that its discriminator tells rightly; where the two lines of a "
            "space add up to 1, it is fooled."
        )
    shown["precision-recall.png"] = "Precision where each recall level is reached, mean over queries and seeds."
    shown["label-graph.png"] = f"The label graph of the training items: probabilities of at least {threshold}."
    if issubclass(method, LabelGraphMethod):
        shown["adjacency.png"] = (
            "What the label encoder propagates with, after training, beside the counted graph (binary, normalised)."
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
    """Draw all pictures of a run; ``model`` is the trained model whose adjacency is shown."""
    folder.plots.mkdir(exist_ok=True)
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
    """Draw precision at recall of all results under the first protocol."""
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    protocol = config.eval.protocols[0]
    plot_precision_recall([result for result in results if result.protocol == protocol], figure.subplots(1, 2))
    figure.suptitle(protocol)
    save(figure, folder, "precision-recall.png")


def _threshold(config: RunConfig) -> float:
    return float(getattr(config.model, "threshold", 0.4))


def _draw_adjacency(folder: RunFolder, config: RunConfig, graph: Data, model: Path) -> None:
    """Heat maps of the propagation weights as counted, as the model has them, and of the difference."""
    method = load_method(model)
    with torch.no_grad():
        _, edge_index, edge_weight = method.label_branch()  # type: ignore[operator]
    learned = dense_adjacency(edge_index, edge_weight, graph.num_nodes)
    edge_index, edge_weight = StaticAdjacency(BinaryAdjacency(_threshold(config))(graph))()
    counted = dense_adjacency(edge_index, edge_weight, graph.num_nodes)
    order = grouped_order(counted)
    figure = Figure(figsize=(28, 9.6), layout="constrained")
    names = [graph.label_names[i] for i in order]
    limit = max(counted.max().item(), learned.max().item())
    panels = {"counted": (counted, limit), "after training": (learned, limit), "difference": (learned - counted, None)}
    for ax, (title, (matrix, end)) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        image = draw_heat_map(matrix[order][:, order], names, ax, title, end)
        figure.colorbar(image, ax=ax, shrink=0.75)
    save(figure, folder, "adjacency.png")


def save(figure: Figure, folder: RunFolder, name: str) -> None:
    """Write a picture beside its place, then rename it."""
    beside = folder.plots / f"part-{name}"
    figure.savefig(beside, dpi=110)
    beside.replace(folder.plots / name)
