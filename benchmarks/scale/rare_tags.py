"""Measure how well rare labels among many are found, with and without references and similar names.

Examples:
  python -m benchmarks.scale.rare_tags --report benchmarks/results/rare-tags.json
  python -m benchmarks.scale.rare_tags --labels 100000 --items 300000 --epochs 1 --seeds 0

The command writes the set `tags` into a temporary folder and trains `expected-relevance` once for each seed. References
follow the training and do not change it, so each variant fits its own references to the same network. The result is
the macro average precision of the labels of the test split by their number of training items, the mean of images and
texts; no label is left out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.experiments.environment import environment
from benchmarks.synthetic.tags import write_tags
from labelgraph._core.json_files import write_json
from labelgraph._core.names import SIDES
from labelgraph.cli.common import Parser, describe, guarded

VARIANTS: dict[str, dict[str, Any]] = {
    "no graph": {"borrowing": 0.0, "name_weight": 0.0},
    "own items": {"edges": "none"},
    "similar names": {},
}
LABELS_AT_A_TIME = 1000


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = Parser(prog="python -m benchmarks.scale.rare_tags", **describe(__doc__ or ""))
    for name, value, what in (
        ("labels", 10_000, "number of labels"),
        ("items", 30_000, "number of items"),
        ("epochs", 6, "epochs of the training"),
        ("channels", 256, "hidden units"),
    ):
        command.add_argument(f"--{name}", metavar="N", type=int, default=value, help=f"{what} (default: {value:,})")
    command.add_argument("--seeds", metavar="N", type=int, nargs="+", default=[0, 1, 2],
                         help="seeds of the training (default: 0 1 2)")  # fmt: skip
    command.add_argument("--report", metavar="FILE", type=Path, help="JSON file for the results")
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parser().parse_args(arguments)
    return guarded(lambda: _measure(options), "run the command again to start over")


def _measure(options: argparse.Namespace) -> None:
    from labelgraph.data import load_folder

    given = {name: getattr(options, name) for name in ("labels", "items", "epochs", "channels", "seeds")}
    report: dict[str, Any] = {"environment": environment(), "settings": given, "seeds": {}}
    with tempfile.TemporaryDirectory(prefix="labelgraph-rare-tags-") as folder:
        write_tags(Path(folder) / "data", options.items, options.labels)
        data = load_folder(Path(folder) / "data")
        for seed in options.seeds:
            report["seeds"][str(seed)] = results = {}
            for variant, values in measure(data, options.epochs, options.channels, seed):
                results[variant] = values
                print(f"seed {seed}, {variant}: " + ", ".join(f"{name} {value:.3f}" for name, value in values.items()))
            if options.report:
                write_json(options.report, report)


def measure(data: Any, epochs: int, channels: int, seed: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Train once, and yield the name and the results of chance and of each variant."""
    from labelgraph.methods import build_method
    from labelgraph.train import train_method, training_graph
    from labelgraph.train.rare_labels import learn_references

    settings = {"epochs": epochs, "batch_size": 1024}
    model: dict[str, Any] = {"hidden_channels": channels}
    trained = train_method(
        "expected-relevance", data, model={**model, **VARIANTS["no graph"]}, train=settings, seed=seed, progress=False
    )
    yield "chance", average_precision(None, data, seed)
    for variant, values in VARIANTS.items():
        config = {**model, **values}
        graph = training_graph(data, trained.settings["model"])
        method = build_method("expected-relevance", data.image_channels, data.text_channels, graph, **config).eval()
        method.load_state_dict(trained.method.state_dict(), strict=False)  # All but the references, fitted here.
        learn_references(method, data)
        yield variant, average_precision(method, data)


def average_precision(method: Any, data: Any, seed: int = 0) -> dict[str, float]:
    """Return the macro average precision by number of training items, and of all labels; of random scores for None."""
    import torch

    from labelgraph._core.multi_hot import label_sums
    from labelgraph.data import COUNT_BINS, count_bins
    from labelgraph.metrics import label_average_precision

    rows = data.rows("test")
    counts, tested = (np.asarray(label_sums(data.label_rows(data.rows(x), dense=False))) for x in ("train", "test"))
    labels = data.labels[rows.numpy()]
    bins, chosen = count_bins(counts), torch.from_numpy(np.flatnonzero(tested))
    features = {"image": data.image[rows], "text": data.text_rows(rows)}
    random = torch.Generator().manual_seed(seed)
    values = np.zeros((len(SIDES), len(chosen)))
    with torch.no_grad():
        for number, side in enumerate(SIDES):
            for part in torch.arange(len(chosen)).split(LABELS_AT_A_TIME):
                some = chosen[part]
                scores = torch.rand(len(rows), len(some), generator=random)
                if method is not None:
                    scores = method.label_scores(side, features[side], some)
                values[number, part] = label_average_precision(scores, labels[:, some.numpy()]).numpy()
    ap, own = values.mean(0), bins[chosen.numpy()]
    return {**{name: float(ap[own == name].mean()) for name in COUNT_BINS if (own == name).any()}, "all": ap.mean()}


if __name__ == "__main__":
    sys.exit(main())
