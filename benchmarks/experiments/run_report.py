"""The tables and the report of a run."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import yaml
from torch_geometric.data import Data

from benchmarks.experiments.run_folder import RunFolder, tell_splits
from benchmarks.experiments.run_plots import captions
from benchmarks.experiments.run_settings import RunConfig
from labelgraph._core.json_files import read_json
from labelgraph._core.multi_hot import DENSE_LABELS, label_sums
from labelgraph._core.reading import reading
from labelgraph.data import COUNT_BINS, CrossModalData
from labelgraph.data.label_counts import FEW_ITEMS
from labelgraph.graph import summarize
from labelgraph.methods import method_class
from labelgraph.report import Result, markdown_table, results_table
from labelgraph.report.tables import has_values


def tables(results: Sequence[Result], config: RunConfig) -> str:
    """The main table of each protocol, at most 100 columns wide."""
    parts = [f"{_heading(results, config, name)}\n\n{results_table(results, name)}" for name in config.eval.protocols]
    return "\n\n".join([*parts, KEY, *_rare_labels(results, config.eval.protocols[0])])


def _rare_labels(results: Sequence[Result], protocol: str) -> list[str]:
    """The table of label classifiers, if some label has few training items."""
    rare = {f"macro-ap/{name}" for name, least in COUNT_BINS.items() if least < FEW_ITEMS}
    if not any(rare & result.measures.keys() for result in results):
        return []
    table = results_table(results, protocol, "classifiers")
    return [f"Average precision of labels by their number of training items:\n\n{table}"]


ENDS = 25  # Rows at each end of a table of many labels.
KEY = (
    "nDCG@10: graded by shared labels. Jaccard@10: of the label sets. own@10: share of queries whose own\n"
    "pair is among the first 10. words: precision at 10 of pictures for one typed word."
)

# The tables of a report by kind, see `results_table`, with what they show.
EXPLAINED = {
    "directions": "mAP by direction.",
    "graded": "nDCG is graded by the number of shared labels. Jaccard@10 is the mean Jaccard coefficient of the "
    "label sets of the query and the first 10 items. exact@10 is the share of the first 10 items that have exactly "
    "the labels of the query.",
    "pairs": "A query's own pair is the item that it comes from: the share of the queries that find it among the "
    "first 1, 5 and 10, and its median rank.",
    "short": "Queries of one label search for pictures with that label. Queries of one word search for pictures "
    "whose own text has that word; they are all words that at least 3 texts of the gallery have. Precision is that "
    "of the first 10 pictures, or of the first R if only R < 10 pictures are relevant.",
    "counts": "mAP of queries of one label, by the number of training items with that label.",
    "classifiers": "Average precision of the label classifiers: all images, and all texts, of the query split are "
    "ranked by the probability of a label. The mean over labels counts rare and common labels alike, and both sides "
    "are averaged. The columns hold the labels with so many training items.",
    "propensity": "Propensity-scored precision and nDCG of the labels with the highest probabilities of an item, which "
    "count rare labels more (Jain et al. 2016); 1 is the best possible ranking.",
    "cost": "Training: number of trained weights, median time of an epoch including its validation, peak memory of the "
    "process, and total time.",
}


def full_tables(results: Sequence[Result], config: RunConfig) -> str:
    """All tables of each protocol, for a report."""
    parts = []
    for name in config.eval.protocols:
        heading = f"## {name}\n\n{_heading(results, config, name)}.\n\n{results_table(results, name)}"
        parts += [heading, measure_tables(results, name)]
    return "\n\n".join(parts)


def measure_tables(results: Sequence[Result], protocol: str) -> str:
    """The tables of all measures under a protocol, each with its explanation."""
    return "\n\n".join(
        f"{explanation}\n\n{results_table(results, protocol, kind)}"
        for kind, explanation in EXPLAINED.items()
        if has_values(results, protocol, kind)
    )


def _heading(results: Sequence[Result], config: RunConfig, protocol: str) -> str:
    k = config.eval.k
    measure = "mAP over the full ranking" if k is None else f"mAP at {k}, definition {config.eval.definition}"
    queries = next(r for r in results if r.protocol == protocol).image_to_text.num_queries
    return f"{protocol}: {measure}, {queries:,} queries in each direction"


def write_report(
    folder: RunFolder,
    config: RunConfig,
    data: CrossModalData,
    graph: Data,
    results: Sequence[Result],
    calibration: str = "",
) -> None:
    """Write ``report.md`` and ``report.html``: tables, how they were measured, plots, and the precision of each label.

    ``calibration`` is the section on label probabilities, if the run ranks by them.
    """
    sentences = "\n\n".join([tell_splits(config, data), *config.data.describe(data)])
    parts = [
        f"# {config.method} on {config.dataset}",
        warning(config),
        how(config, folder),
        full_tables(results, config),
        _discriminators(results),
        calibration,
        f"## Data\n\n{data!r}\n\n{sentences}\n\n```\n{summarize(graph)}\n```",
        "## Plots\n\n" + "\n\n".join(picture(name, caption) for name, caption in captions(config).items()),
        "## Average precision by label\n\n" + _by_label(config, data, results),
        f"## Settings\n\n```yaml\n{yaml.safe_dump(config.as_dict(), sort_keys=False).strip()}\n```",
    ]
    folder.write_report_files(parts)


def warning(config: RunConfig) -> str:
    """A warning about numbers that were selected on test."""
    if config.train.select != "test":
        return ""
    return (
        "**Selected on test.** As in the published procedure, epochs and settings were chosen on the same items that "
        "the numbers are measured on. The numbers are therefore too high: compare them only with published ones."
    )


def how(config: RunConfig, folder: RunFolder, *others: RunConfig) -> str:
    """How the numbers were measured, and with which versions; ``others`` are other methods in the same table."""
    chosen = (
        "No epoch was chosen: each training ends with its last one."
        if config.train.select == "last"
        else f"The best epoch and the settings of the baselines were chosen by mAP on the {config.train.select} split."
    )
    return (
        f"Mean ± sample standard deviation over the seeds {', '.join(map(str, config.seeds))}, both directions "
        f"averaged. {chosen} An item is relevant if it shares a label with the query. Items with equal scores keep the "
        "order of the gallery. A query without relevant items counts "
        f"0.{_score(config)}{_incomplete(config)}{''.join(map(_unlabelled, (config, *others)))} {_versions(folder)}"
    )


def _versions(folder: RunFolder) -> str:
    with reading(folder.environment, "the environment of a run"):
        environment: dict[str, Any] = read_json(folder.environment)
        return (
            f"Measured with labelgraph {environment['labelgraph']} (commit {environment['commit'] or 'unknown'}) and "
            f"torch {environment['packages']['torch']} on {environment['processor']}, {environment['threads']} "
            f"threads, {environment['time']}."
        )


def _score(config: RunConfig) -> str:
    ranked_by = {
        "expected_relevance": "the probability that two items share a label",
        "expected_shared": "the expected number of shared labels",
        "expected_jaccard": "the expected Jaccard coefficient of the label sets",
        "expected_cosine": "the cosine of the label probabilities",
    }
    if config.eval.score == "own":
        return ""
    return (
        f" Methods rank by {ranked_by[config.eval.score]}, computed from label scores that are calibrated on held-out "
        "items. Baselines rank by their own similarity."
    )


def _incomplete(config: RunConfig) -> str:
    if not config.data.incomplete:
        return ""
    return (
        f" {config.data.incomplete:.0%} of the training items lack one side: {config.data.image_only:.0%} of these "
        "lack their text, the others their image. The test items have both sides."
    )


def _unlabelled(config: RunConfig) -> str:
    if method_class(config.method).reads_labels:
        return ""
    chosen = "" if config.train.select == "last" else "; the choice of the epoch does"
    ranked = f"It ranks codes of {config.model.bits} bits by Hamming distance."
    return f" Training {config.method} uses no labels{chosen}. {ranked}"


def picture(name: str, caption: str) -> str:
    """A plot with its caption, in Markdown."""
    return f"![{caption}](plots/{name})\n\n{caption}"


def _discriminators(results: Sequence[Result]) -> str:
    """The accuracy of the discriminators in the chosen epochs, mean over seeds."""
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
        "## Discriminators\n\nThe share of real and of generated features that each discriminator classifies "
        "correctly in the chosen epoch, mean over seeds. If the two shares of one side add up to 1, the discriminator "
        f"cannot tell real from generated features.\n\n{markdown_table(header, rows)}"
    )


def _by_label(config: RunConfig, data: CrossModalData, results: Sequence[Result]) -> str:
    """For each label, its training items and the average precision of queries that have it, mean over seeds."""
    own = [r for r in results if r.method == config.method and r.protocol == config.eval.protocols[0]]
    own = [result for result in own if result.variant == own[-1].variant]
    count = label_sums(data.label_rows(data.rows("train"), dense=False)).long().tolist()
    rows = []
    for i, name in enumerate(data.label_names):
        ways = [[r.image_to_text.per_class[i] for r in own], [r.text_to_image.per_class[i] for r in own]]
        rows.append([name, str(count[i]), *(f"{sum(values) / len(values):.3f}" for values in ways)])
    rows.sort(key=lambda row: -int(row[1]))
    if len(rows) > DENSE_LABELS:
        rows = [*rows[:ENDS], *rows[-ENDS:]]  # The most and the least frequent labels.
    return markdown_table(["label", "training items", "image to text", "text to image"], rows)
