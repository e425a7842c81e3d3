"""The pictures and the page of a run folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import yaml
from matplotlib.figure import Figure
from torch_geometric.data import Data

from benchmarks.config import RunConfig
from benchmarks.run_folder import RunFolder, write_text
from benchmarks.tables import tables
from labelgraph.data import CrossModalData
from labelgraph.graph import BinaryAdjacency, Threshold, summarize
from labelgraph.methods import load_method
from labelgraph.nn import StaticAdjacency, dense_adjacency
from labelgraph.report import (
    Result,
    draw_graph,
    draw_heat_map,
    grouped_order,
    markdown_table,
    plot_precision_recall,
    plot_training,
)

PLOTS = {
    "training.png": "Loss terms and mAP over the epochs; the marked epoch was chosen.",
    "precision-recall.png": "Precision where each recall level is reached, mean over queries and seeds.",
    "label-graph.png": "The label graph of the training items: probabilities of at least {threshold}.",
    "adjacency.png": "What the label encoder propagates with, before and after training.",
}


def write_plots(
    folder: RunFolder,
    config: RunConfig,
    graph: Data,
    results: Sequence[Result],
    histories: Mapping[int, Sequence[Mapping[str, float]]],
) -> None:
    """Draw the training curves, precision-recall, the label graph, and the adjacency before and after."""
    folder.plots.mkdir(exist_ok=True)
    figure = Figure(figsize=(11, 4), layout="constrained")
    loss_ax, quality_ax = figure.subplots(1, 2)
    plot_training(histories, loss_ax, quality_ax, config.train.select)
    _save(figure, folder, "training.png")

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    protocol = config.eval.protocols[0]
    plot_precision_recall([result for result in results if result.protocol == protocol], figure.subplots(1, 2))
    figure.suptitle(protocol)
    _save(figure, folder, "precision-recall.png")

    figure = Figure(figsize=(11, 9), layout="constrained")
    draw_graph(Threshold(_threshold(config))(graph), figure.subplots())
    _save(figure, folder, "label-graph.png")
    _plot_adjacency(folder, config, graph)


def _threshold(config: RunConfig) -> float:
    return float(getattr(config.model, "threshold", 0.4))


def _plot_adjacency(folder: RunFolder, config: RunConfig, graph: Data) -> None:
    """Heat maps of the propagation weights as counted, as learned by the first seed, and what changed."""
    method = load_method(folder.model(config.seeds[0]))
    with torch.no_grad():
        _, edge_index, edge_weight = method.label_branch()  # type: ignore[operator]
    learned = dense_adjacency(edge_index, edge_weight, graph.num_nodes)
    static = StaticAdjacency(BinaryAdjacency(_threshold(config))(graph))
    edge_index, edge_weight = static()
    counted = dense_adjacency(edge_index, edge_weight, graph.num_nodes)
    order = grouped_order(counted)
    figure = Figure(figsize=(28, 9.6), layout="constrained")
    names = [graph.label_names[i] for i in order]
    limit = max(counted.max().item(), learned.max().item())
    panels = {"before": (counted, limit), "after": (learned, limit), "change": (learned - counted, None)}
    for ax, (title, (matrix, end)) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        image = draw_heat_map(matrix[order][:, order], names, ax, title, end)
        figure.colorbar(image, ax=ax, shrink=0.75)
    _save(figure, folder, "adjacency.png")


def _save(figure: Figure, folder: RunFolder, name: str) -> None:
    beside = folder.plots / f"part-{name}"
    figure.savefig(beside, dpi=110)
    beside.replace(folder.plots / name)


def write_report(
    folder: RunFolder, config: RunConfig, data: CrossModalData, graph: Data, results: Sequence[Result]
) -> None:
    """Write ``report.md``: the tables, how they came about, the pictures, the labels one by one."""
    environment = json.loads((folder.path / "environment.json").read_text(encoding="utf-8"))
    parts = [
        f"# {config.method} on {config.dataset}",
        _warning(config),
        tables(results, config),
        _how(config, environment),
        f"## Data\n\n{data!r}\n\n```\n{summarize(graph)}\n```",
        "## Pictures\n\n" + "\n\n".join(_picture(name, config) for name in PLOTS),
        "## Average precision by label\n\n" + _by_label(config, data, results),
        f"## Settings\n\n```yaml\n{yaml.safe_dump(config.as_dict(), sort_keys=False).strip()}\n```",
    ]
    write_text(folder.path / "report.md", "\n\n".join(part for part in parts if part) + "\n")


def _warning(config: RunConfig) -> str:
    if config.train.select != "test":
        return ""
    return (
        "**Selected on test.** The epochs and settings below were chosen on the very items that they are "
        "measured on, as in the published procedure. The numbers are too good; they serve comparison "
        "with published ones alone."
    )


def _how(config: RunConfig, environment: Mapping[str, Any]) -> str:
    packages = environment["packages"]
    return (
        f"Mean ± sample deviation over the seeds {', '.join(map(str, config.seeds))}. The best epoch, and what "
        f"the baselines have to choose, were chosen by mAP on the split `{config.train.select}`. An item is "
        "relevant if it shares a label with the query; equal scores keep the order of the gallery; a query "
        "without relevant items counts 0. "
        f"labelgraph {environment['labelgraph']}, commit {environment['commit'] or 'unknown'}, torch "
        f"{packages['torch']}, {environment['processor']}, {environment['threads']} threads, {environment['time']}."
    )


def _picture(name: str, config: RunConfig) -> str:
    caption = PLOTS[name].format(threshold=_threshold(config))
    return f"![{caption}](plots/{name})\n\n{caption}"


def _by_label(config: RunConfig, data: CrossModalData, results: Sequence[Result]) -> str:
    """A row a label: its test items, and the mean over seeds of the AP of the queries that carry it."""
    own = [r for r in results if r.method == config.method and r.protocol == config.eval.protocols[0]]
    count = data.split("train").labels.sum(0).long().tolist()
    rows = []
    for i, name in enumerate(data.label_names):
        ways = [[r.image_to_text.per_class[i] for r in own], [r.text_to_image.per_class[i] for r in own]]
        rows.append([name, str(count[i]), *(f"{sum(values) / len(values):.3f}" for values in ways)])
    rows.sort(key=lambda row: -int(row[1]))
    return markdown_table(["label", "training items", "image to text", "text to image"], rows)
