"""The steps of the scale benchmark for many labels; each step runs in its own process.

``python -m benchmarks.scale.tag_steps STEP FOLDER`` runs one of the steps that are no commands, and prints its results.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.scale.steps import run

LABEL = "LABEL"  # In place of a name that is known once the data are written.
FIT, RIDGE, BLOCK = 50_000, 100.0, 65_536
# A hidden layer as wide as the features of the set.
SETTINGS = ("train.batch_size=1024", "model.hidden_channels=256")
METHODS = {
    "expected-relevance": SETTINGS,
    # The published learning rates are for smaller batches and more epochs.
    **dict.fromkeys(("algcn", "p-gnn-con"), (*SETTINGS, "train.lr=1e-3")),
}


def graphs_step(folder: Path) -> dict[str, Any]:
    """Build the co-occurrence graph of the training items, the graph of similar names, and both merged."""
    from labelgraph.data import load_folder
    from labelgraph.graph import cooccurrence_graph, meaning_graph, merge_graphs

    data = load_folder(folder)
    started = time.perf_counter()
    together = cooccurrence_graph(data.label_rows(data.rows("train"), dense=False), data.label_names)
    counted = time.perf_counter()
    alike = meaning_graph(data.label_names, data.label_vectors)
    compared = time.perf_counter()
    edges = {"cooccurrence_edges": together.num_edges, "meaning_edges": alike.num_edges}
    merged = merge_graphs(together, alike)
    return {
        **edges,
        "merged_edges": merged.num_edges,
        "cooccurrence_seconds": counted - started,
        "meaning_seconds": compared - counted,
        "merging_seconds": time.perf_counter() - compared,
    }


def measures_step(folder: Path) -> dict[str, Any]:
    """Rank the texts of the database for the images of the queries, by ridge regression, and compute all measures."""
    import torch

    from labelgraph.data import load_folder
    from labelgraph.metrics import evaluate

    data = load_folder(folder)
    train, query, database = (data.rows(name) for name in ("train", "query", "database"))
    image, text = data.image[train[:FIT]], data.text_rows(train[:FIT])
    weight = torch.linalg.solve(image.t() @ image + RIDGE * torch.eye(image.shape[1]), image.t() @ text)
    # The first principal directions of the texts: an embedding is not larger than that of a trained method.
    basis = torch.linalg.svd(text[:8192], full_matrices=False).Vh[:64].t()
    asks = data.image[query] @ weight @ basis
    has = torch.cat([data.text_rows(part) @ basis for part in database.split(BLOCK)])
    labels = data.label_rows(query, dense=False), data.label_rows(database, dense=False)
    started = time.perf_counter()
    report = evaluate(asks, has, *labels)
    return {"queries": len(query), "items": len(database), "seconds": time.perf_counter() - started, **report.metrics}


def _a_label(folder: Path) -> str:
    from labelgraph.data import load_folder

    return load_folder(folder).label_names[0]


STEPS = {"graphs": graphs_step, "measures": measures_step}


def commands(folder: Path, items: int, labels: int, method: str | None) -> dict[str, list[str]]:
    """Return the arguments of Python for each step by name, in order; without a method, of the data alone."""
    data, model, index = (str(folder / name) for name in ("data", "model", "index"))
    step = ["-m", "benchmarks.scale.tag_steps"]
    steps = {
        "write the data": ["-m", "benchmarks.synthetic", "tags", "--labels", str(labels), "--items", str(items),
                           "--out", data],
        "co-occurrence, similar names, merged": [*step, "graphs", data],
        "measures of ridge regression": [*step, "measures", data],
    }  # fmt: skip
    if method is None:
        return steps
    cli, training = ["-m", "labelgraph"], ["--method", method, "--epochs", "1", "--set", *METHODS[method]]
    return {
        **steps,
        f"train {method}, 1 epoch": [*cli, "train", data, "--out", model, *training, "--quiet", "--json"],
        "index, images and texts": [*cli, "index", model, data, "--out", index, "--json"],
        "search, one label": [*cli, "search", index, "--label", LABEL, "--json"],
        "search, the text of one item": [*cli, "search", index, "--data", data, "--text-id", "7", "--json"],
        f"measures of {method}": [*cli, "evaluate", model, data, "--protocol", "query-vs-database", "--json"],
    }


def measure(folder: Path, items: int, labels: int, threads: int, method: str | None) -> Iterator[dict[str, Any]]:
    """Run all steps, and yield the name, command line, time, memory and results of each."""
    environment = {"OMP_NUM_THREADS": str(threads)}
    for name, words in commands(folder, items, labels, method).items():
        words = [_a_label(folder / "data") if word is LABEL else word for word in words]
        finished = run([sys.executable, *words], environment)
        yield {
            "name": name,
            "command": " ".join(["python", *words]).replace(str(folder), "DIR"),
            **{key: value for key, value in asdict(finished).items() if key != "output"},
            "results": _results(finished.output.replace(str(folder), "DIR")),
        }


def _results(output: str) -> dict[str, Any]:
    """Return the numbers of a step; of a command, its numbers, texts and metrics."""
    try:
        answer = json.loads(output)
    except ValueError:
        return {}
    kept = {key: value for key, value in answer.items() if isinstance(value, str | int | float)}
    if "results" in answer:
        kept["metrics"] = answer["results"][0]["metrics"]
    return kept


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step in this process."""
    command = argparse.ArgumentParser(prog="python -m benchmarks.scale.tag_steps", description="Run one step.")
    command.add_argument("step", choices=STEPS, help=f"one of: {', '.join(STEPS)}", metavar="STEP")
    command.add_argument("folder", type=Path, metavar="FOLDER", help="folder of the data")
    options = command.parse_args(arguments)
    print(json.dumps(STEPS[options.step](options.folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
