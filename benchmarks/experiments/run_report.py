"""The report of a run."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from torch_geometric.data import Data

from benchmarks.experiments.run_folder import RunFolder, tell_splits, write_text
from benchmarks.experiments.run_plots import captions
from benchmarks.experiments.run_settings import RunConfig
from labelgraph.data import CrossModalData
from labelgraph.graph import summarize
from labelgraph.methods import method_class
from labelgraph.report import Result, markdown_table, results_table


def tables(results: Sequence[Result], config: RunConfig) -> str:
    """A table a protocol."""
    k = config.eval.k
    measure = "mAP over the full ranking" if k is None else f"mAP at {k}, definition {config.eval.definition}"
    parts = []
    for protocol in config.eval.protocols:
        queries = next(r for r in results if r.protocol == protocol).image_to_text.num_queries
        parts += [
            f"{protocol}: {measure}, {queries} queries each way",
            "",
            results_table(results, protocol),
            "",
        ]
    return "\n".join(parts).rstrip()


def write_report(
    folder: RunFolder,
    config: RunConfig,
    data: CrossModalData,
    graph: Data,
    results: Sequence[Result],
    calibration: str = "",
) -> None:
    """Write ``report.md``: the tables, how they came about, the pictures, the labels one by one.

    ``calibration`` is the section on label probabilities, where the run ranks by them.
    """
    parts = [
        f"# {config.method} on {config.dataset}",
        warning(config),
        tables(results, config),
        how(config, folder),
        _discriminators(results),
        calibration,
        f"## Data\n\n{data!r}\n\n{tell_splits(config, data)}\n\n```\n{summarize(graph)}\n```",
        "## Pictures\n\n" + "\n\n".join(picture(name, caption) for name, caption in captions(config).items()),
        "## Average precision by label\n\n" + _by_label(config, data, results),
        f"## Settings\n\n```yaml\n{yaml.safe_dump(config.as_dict(), sort_keys=False).strip()}\n```",
    ]
    write_text(folder.path / "report.md", "\n\n".join(part for part in parts if part) + "\n")


def warning(config: RunConfig) -> str:
    """What must be said of numbers that were selected on test."""
    if config.train.select != "test":
        return ""
    return (
        "**Selected on test.** The epochs and settings below were chosen on the very items that they are "
        "measured on, as in the published procedure. The numbers are too good; they serve comparison "
        "with published ones alone."
    )


def how(config: RunConfig, folder: RunFolder, *others: RunConfig) -> str:
    """How the numbers came about, and with what; ``others`` are methods in the same table."""
    environment: Mapping[str, Any] = json.loads((folder.path / "environment.json").read_text(encoding="utf-8"))
    packages = environment["packages"]
    chosen = (
        "Nothing was chosen: each training ends with its last epoch"
        if config.train.select == "last"
        else "The best epoch, and what the baselines have to choose, were chosen by mAP on the split "
        f"`{config.train.select}`"
    )
    return (
        f"Mean ± sample deviation over the seeds {', '.join(map(str, config.seeds))}. {chosen}. An item is "
        "relevant if it shares a label with the query; equal scores keep the order of the gallery; a query "
        "without relevant items counts 0. Epoch is the median time of one, with the choosing; memory is the most "
        "that the process held while it trained. "
        f"labelgraph {environment['labelgraph']}, commit {environment['commit'] or 'unknown'}, torch "
        f"{packages['torch']}, {environment['processor']}, {environment['threads']} threads, {environment['time']}."
        f"{_score(config)}{_incomplete(config)}{''.join(map(_unlabelled, (config, *others)))}"
    )


def _score(config: RunConfig) -> str:
    ranked_by = {
        "expected_relevance": "the expected relevance, the probability of sharing a label",
        "expected_shared": "the expected number of shared labels",
        "expected_jaccard": "the expected Jaccard coefficient of the label sets",
        "expected_cosine": "the cosine of the label probabilities",
    }
    if config.eval.score == "own":
        return ""
    return (
        f" Methods rank by {ranked_by[config.eval.score]}, from their label scores, calibrated on held-out items; the "
        "baselines by their own similarity."
    )


def _incomplete(config: RunConfig) -> str:
    if not config.data.incomplete:
        return ""
    return (
        f" Of the training items {config.data.incomplete:.0%} have lost a side, {config.data.image_only:.0%} of these "
        "their text and the others their image; the items that are searched have both."
    )


def _unlabelled(config: RunConfig) -> str:
    if method_class(config.method).reads_labels:
        return ""
    return (
        f" {config.method} reads no label in training"
        f"{'' if config.train.select == 'last' else ' but for choosing the epoch'}, and ranks codes of "
        f"{config.model.bits} bits by Hamming distance."
    )


def picture(name: str, caption: str) -> str:
    """A picture and what it shows."""
    return f"![{caption}](plots/{name})\n\n{caption}"


def _discriminators(results: Sequence[Result]) -> str:
    """The four shares of the chosen epochs, mean over seeds, of each training."""
    groups: dict[str, list[dict[str, float]]] = {}
    for result in results:
        if result.diagnostics and result.protocol == results[0].protocol:
            groups.setdefault(result.variant or result.method, []).append(result.diagnostics)
    if not groups:
        return ""
    names = list(next(iter(groups.values()))[0])
    header = ["training", *(name.removeprefix("precision_").replace("_", ", ") for name in names)]
    rows = [
        [key, *(f"{statistics.fmean(each[n] for each in group):.3f}" for n in names)] for key, group in groups.items()
    ]
    return (
        "## Discriminators\n\nThe share of each kind of features that its discriminator tells rightly, in the chosen "
        "epoch, mean over seeds. Where the two shares of a space add up to 1, its discriminator cannot tell real from "
        f"generated features.\n\n{markdown_table(header, rows)}"
    )


def _by_label(config: RunConfig, data: CrossModalData, results: Sequence[Result]) -> str:
    """A row a label: its training items, and the mean over seeds of the AP of the queries that carry it."""
    own = [r for r in results if r.method == config.method and r.protocol == config.eval.protocols[0]]
    own = [result for result in own if result.variant == own[-1].variant]
    count = data.labels[data.rows("train")].sum(0).long().tolist()
    rows = []
    for i, name in enumerate(data.label_names):
        ways = [[r.image_to_text.per_class[i] for r in own], [r.text_to_image.per_class[i] for r in own]]
        rows.append([name, str(count[i]), *(f"{sum(values) / len(values):.3f}" for values in ways)])
    rows.sort(key=lambda row: -int(row[1]))
    return markdown_table(["label", "training items", "image to text", "text to image"], rows)
