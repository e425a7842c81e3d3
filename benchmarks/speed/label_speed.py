"""Speed of training steps with more and more labels, which should depend on the labels of the batch and not on all."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.speed.measure import clock, spread
from benchmarks.speed.training_speed import update
from benchmarks.synthetic.tags import write_tags
from labelgraph.data import CrossModalData, load_folder
from labelgraph.methods import build_method, method_class
from labelgraph.train import RetrievalModule, TrainConfig, training_graph

LABELS = (1_100, 10_000, 100_000)
METHODS = ("expected-relevance", "algcn", "p-gnn-con")
ITEMS, BATCH, CHANNELS = 100_000, 300, 256
REPEATS, WARM_UP = 15, 2


def measure(threads: int) -> list[dict[str, Any]]:
    """Measure the steps of each method on the set `tags`, with each number of labels."""
    figures: list[dict[str, Any]] = []
    for num_labels in LABELS:
        with tempfile.TemporaryDirectory(prefix="labelgraph-label-speed-") as folder:
            write_tags(Path(folder) / "data", ITEMS, num_labels)
            data = load_folder(Path(folder) / "data")
            figures += [_figure(name, data) for name in METHODS]
    return figures


def _figure(name: str, data: CrossModalData) -> dict[str, Any]:
    """Time steps of one method; each has another batch."""
    config = method_class(name).Config(hidden_channels=CHANNELS)
    method = build_method(name, data.image_channels, data.text_channels, training_graph(data, config), config).train()
    seconds, cpu, labels = [], [], []
    optimizer = RetrievalModule(method, TrainConfig(lr=1e-3)).configure_optimizers()
    for batch in _batches(data):
        started = time.process_time()
        seconds.append(clock(partial(update, method, optimizer, batch)))
        cpu.append(time.process_time() - started)
        labels.append(len(batch[2].col_indices().unique()))
    return {
        "name": f"training step of {name.upper()}, {data.num_labels:,} labels, {CHANNELS} channels, batch {BATCH}",
        "repeats": REPEATS,
        "seconds": spread(seconds[WARM_UP:]),
        "cpu_seconds": spread(cpu[WARM_UP:]),
        "labels_of_the_batch": spread(labels[WARM_UP:]),
    }


def _batches(data: CrossModalData) -> Iterator[tuple[Any, Any, Any]]:
    for part in data.rows("train").split(BATCH)[: WARM_UP + REPEATS]:
        yield data.image[part], data.text_rows(part).to_sparse_csr(), data.label_rows(part, dense=False)
