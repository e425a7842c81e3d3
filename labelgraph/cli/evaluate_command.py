"""Measure how well a model finds texts for images and images for texts.

Examples:
  labelgraph evaluate my-model my-data.npz
  labelgraph evaluate my-model openclipart --protocol test-vs-test --metrics map@50/topk recall@10
  labelgraph evaluate my-model my-data.npz --split test --per-class --json

A protocol names the query split and the gallery split: test-vs-test, query-vs-database. The default is every protocol
that the data have splits for. If there is none, the validation split that the training held out is both. With
--split NAME, that split is both: each of its items is searched for among all its items.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import cache
from statistics import fmean
from typing import TYPE_CHECKING, Any

from labelgraph._core.names import check_name
from labelgraph._core.progress import progress_bar
from labelgraph.cli.common import Parser, add_command, fitted_table, print_json
from labelgraph.cli.inputs import DATA_HELP, add_revision, check_place, load, model_place
from labelgraph.data.named_sets import check_dataset
from labelgraph.methods.registry import load_method
from labelgraph.metrics.metric_options import (
    DEFAULT_METRICS,
    DIRECTIONS,
    METRICS,
    OWN_METRICS,
    PROTOCOLS,
    TIES,
    check_metric_name,
)

if TYPE_CHECKING:
    from labelgraph.cli.setups import Setup
    from labelgraph.data import CrossModalData
    from labelgraph.methods import Method
    from labelgraph.metrics import LabelReport

MOST_ROWS, END_ROWS = 1024, 25  # Of more labels, the table has both ends.
TIE_RULES = {"database": "keep the order of the data", "expected": "count by their expected value over all orders"}


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    command = add_command(commands, "evaluate", __doc__ or "", run)
    command.add_argument("model", metavar="MODEL", type=model_place, help="folder of a trained model, or "
                         "hf://USER/MODEL for a model on the Hugging Face Hub")  # fmt: skip
    command.add_argument("data", metavar="DATA", help=DATA_HELP)
    which = command.add_mutually_exclusive_group()
    which.add_argument("--protocol", metavar="NAME", nargs="+", dest="protocols",
                       help=f"some of: {', '.join(PROTOCOLS)} (default: all that the data have splits "
                       "for)")  # fmt: skip
    which.add_argument("--split", metavar="NAME", help="use this split as queries and as gallery; 'all' for all items")
    command.add_argument("--metrics", metavar="NAME", nargs="+",
                         help=f"metrics to compute: {', '.join(METRICS)}; metrics with a RADIUS need codes (default: "
                         f"{' '.join(DEFAULT_METRICS)}; also {' '.join(OWN_METRICS)} if the gallery "
                         "contains the own pair of each query)")  # fmt: skip
    command.add_argument("--ties", choices=TIES, default=TIES[0], help="how to rank items of equal score: in the order "
                         "of the data (database, the default), or by the expected value over all orders (expected), "
                         "which is fair to short codes")  # fmt: skip
    command.add_argument("--per-class", action="store_true", help="also print the mAP of the queries with each label")
    add_revision(command)
    command.add_argument("--quiet", action="store_true", help="do not print progress")


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    for name in options.protocols or ():
        check_name("--protocol", name, PROTOCOLS)
    check_place(options, options.model, "folder of a model")
    check_dataset(options.data)
    for name in options.metrics or ():
        check_metric_name(name)
    from labelgraph.cli.setups import find_setups, read_record
    from labelgraph.metrics.measures import parse_metric

    for name in options.metrics or ():
        parse_metric(name)
    data = load(options.data)
    method, record = load_method(options.model, revision=options.revision), read_record(options.model)
    setups = find_setups(data, record, options.protocols, options.split)
    results = [_measure(method, setup, options) for setup in setups]
    facts = {
        "model": str(options.model),
        "method": method.name,
        "data": options.data,
        "similarity": method.similarity,
        "selected_on": record.get("selected_on"),
        "relevance": "an item is relevant if it shares a label with the query",
        "ties": options.ties,
    }
    if options.json:
        print_json({**facts, "results": results})
        return
    marked = " (selected on test)" if record.get("selected_on") == "test" else ""
    print(f"{method.name}{marked} on {options.data}, by {method.similarity}; {facts['relevance']}.")
    for result in results:
        _show(result)
    _explain(results[0]["metrics"][DIRECTIONS[0]], options.ties)


def _measure(method: Method, setup: Setup, options: argparse.Namespace) -> dict[str, Any]:
    """Compute the metrics of one protocol, in both directions."""
    from labelgraph.inference import encode
    from labelgraph.metrics import evaluate_labels, evaluate_protocol

    data = setup.data
    query, database = (data.rows(name) for name in PROTOCOLS[setup.protocol])
    embedded = len(query) if query.equal(database) else len(query) + len(database)
    with ExitStack() as bars:
        embedding = _bar(bars, "embedding", 2 * embedded, "items", options.quiet)
        ranking = _bar(bars, "ranking", int(data.present[query].sum()), "queries", options.quiet)
        reports = evaluate_protocol(
            lambda pairs: encode(method, pairs, progress=embedding), data, setup.protocol, options.metrics,
            ties=options.ties, ks=(), recall=(), progress=ranking,
        )  # fmt: skip
    metrics = {way: dict(report.metrics) for way, report in reports.items()}
    result: dict[str, Any] = {"protocol": setup.name, "description": setup.description, "metrics": metrics}
    names, graph = setup.data.label_names, method._graph
    if graph is not None and tuple(graph.label_names[: len(names)]) == tuple(names):  # Added labels come last.
        # The graph counts the labels that the training read; the data may have other training items by now.
        counts: dict[str, Any] = {}
        if graph.num_samples:
            counts = {"counts": graph["count"][: len(names)], "num_items": graph.num_samples}
        sides = evaluate_labels(method, setup.data, setup.protocol, ties=options.ties, **counts)
        result["labels"] = {side: _plain(report, names, options.per_class) for side, report in sides.items()}
    if options.per_class:
        result["per_class"] = {way: _by_label(setup.data, report.per_class) for way, report in reports.items()}
    return result


def _bar(bars: ExitStack, description: str, total: int, unit: str, quiet: bool) -> Callable[[int], object]:
    """Return the function that advances a progress bar, which appears with the first step."""

    @cache
    def bar() -> Any:
        return bars.enter_context(progress_bar(description, total, unit, shown=not quiet, leave=False))

    return lambda steps: bar().update(steps)


def _by_label(data: CrossModalData, values: Sequence[float]) -> dict[str, float]:
    """Values by label name; many labels come by falling frequency."""
    by_name = dict(zip(data.label_names, values, strict=True))
    if len(by_name) <= MOST_ROWS:
        return by_name
    from labelgraph._core.multi_hot import label_sums

    order = label_sums(data.labels).argsort(descending=True, stable=True).tolist()
    return {data.label_names[i]: values[i] for i in order}


def _plain(report: LabelReport, names: Sequence[str], per_class: bool) -> dict[str, Any]:
    """Results of the label classifiers of one side; the average precision of each label with ``--per-class``."""
    plain = asdict(report)
    per_label = dict(zip(names, plain.pop("per_label"), strict=True))
    return {**plain, "per_label": per_label} if per_class else plain


def _rare_labels(sides: Mapping[str, Mapping[str, Any]]) -> str:
    """One line with the average precision of label classifiers, if some label has few training items."""
    from labelgraph.data.label_counts import COUNT_BINS, FEW_ITEMS

    reports = [*sides.values()]
    bins = [name for name in COUNT_BINS if all(name in report["by_count"] for report in reports)]
    if not any(COUNT_BINS[name] < FEW_ITEMS for name in bins) or not reports:
        return ""

    def mean(values: Iterable[float]) -> str:
        return _number(fmean(values))

    parts = [f"{name}: {mean(report['by_count'][name] for report in reports)}" for name in bins]
    overall = mean(report["average_precision"] for report in reports)
    return f"Average precision of labels: {overall}; by training items of the label, {', '.join(parts)}."


def _show(result: Mapping[str, Any]) -> None:
    """Print a table of the metrics, and a table of the labels with `--per-class`."""
    print(f"\n{result['protocol']}: {result['description']}.")
    for title, key in (("metric", "metrics"), ("mAP by label", "per_class")):
        if key in result:
            image_to_text, text_to_image = (result[key][way] for way in DIRECTIONS)
            values = {name: (value, text_to_image[name]) for name, value in image_to_text.items()}
            values = _ends(values)
            rows = [[name, *map(_number, (*pair, sum(pair) / 2))] for name, pair in values.items()]
            print(f"\n{fitted_table([title, 'image to text', 'text to image', 'average'], rows)}")
    if line := _rare_labels(result.get("labels", {})):
        print(f"\n{line}")


def _ends(values: dict[str, Any]) -> dict[str, Any]:
    """Keep both ends of a long table, whose labels are by falling frequency, of the labels that a query has."""
    if len(values) <= MOST_ROWS:
        return values
    names = [name for name, pair in values.items() if any(value == value for value in pair)]
    print(f"\nThe {END_ROWS} most and the {END_ROWS} least frequent of {len(names):,} labels that a query has:")
    return {name: values[name] for name in (*names[:END_ROWS], *names[-END_ROWS:])}


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.4f}" if value <= 1 else f"{value:,.1f}"


def _explain(metrics: Mapping[str, float], ties: str) -> None:
    """Explain the metrics of the table."""
    from labelgraph.metrics.measures import parse_metric

    forms = dict.fromkeys(parse_metric(name).form for name in metrics)
    print("\n" + "\n".join(f"  {form}: {METRICS[form].meaning}" for form in forms))
    print(f"  Queries without a relevant item count 0; items of equal score {TIE_RULES[ties]}.")
