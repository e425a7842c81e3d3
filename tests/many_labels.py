"""Steps on data with very many labels in little memory: a process of its own, see test_label_memory."""

import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch

from labelgraph.data import (
    CrossModalData,
    data_card,
    drop_labels,
    hold_out,
    hold_out_labels,
    load_folder,
    load_npz,
    load_splits,
    make_splits,
    save_folder,
    save_npz,
    save_splits,
)
from labelgraph.data.splits.training_splits import fingerprint
from labelgraph.graph import KNN, PMI, Threshold, cooccurrence_graph, meaning_graph, merge_graphs, summarize
from labelgraph.inference import encode
from labelgraph.metrics import (
    class_means,
    evaluate,
    evaluate_labels,
    evaluate_protocol,
    label_average_precision,
    label_query_precision,
)
from labelgraph.train import CrossModalDataModule, train_method

ITEMS, LABELS, ROOM = 50_000, 200_000, 3 * 2**30


def limit_memory():
    """Allow `ROOM` bytes more than the process has now; dense labels of all items take 10 GB even as bits of a byte."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + ROOM, now + ROOM))


def make():
    rng = np.random.default_rng(0)
    columns = (rng.random((ITEMS, 5)) ** 3 * LABELS).astype(np.int64)
    columns[: LABELS // 4, 0] = np.arange(LABELS)[:ITEMS]
    labels = sp.csr_array((np.ones(columns.size, np.float32), columns.ravel(), 5 * np.arange(ITEMS + 1)),
                          shape=(ITEMS, LABELS))  # fmt: skip
    labels.sum_duplicates()
    labels.data[:] = 1
    image, text = rng.standard_normal((2, ITEMS, 8), dtype=np.float32)
    splits = {"train": range(40_000), "test": range(49_900, ITEMS), "query": range(49_900, ITEMS)}
    return CrossModalData(image, text, labels, splits=splits | {"database": range(49_900)})


def files(data, folder):
    save_npz(data, folder / "data.npz")
    save_folder(data, folder / "data")
    save_splits(data.splits, data, folder / "splits.json")
    load_splits(folder / "splits.json", load_npz(folder / "data.npz"))
    return load_folder(folder / "data")


def changes(data, folder):
    hold_out(data, 0.1)
    make_splits(data, "stratified")
    drop_labels(data, 0.5)
    hold_out_labels(data, 20)
    fingerprint(data)
    data.select(torch.arange(100)).to("cpu")[3:7]


def card(data, folder):
    assert data_card(data).labels.items == ITEMS


def batches(data, folder):
    module = CrossModalDataModule(data, 512, select="last", unseen_labels=True, sparse_labels=True)
    assert sum(batch.labels.values().numel() for batch in module.train_dataloader()) > 150_000
    loader = CrossModalDataModule(data, 512, select="last", unseen_labels=True).train_dataloader()
    assert next(iter(loader)).labels.shape == (512, LABELS)


def graphs(data, folder):
    graph = cooccurrence_graph(data.label_rows(data.rows("train"), dense=False), data.label_names)
    names = list(data.label_names[:30_000])
    meaning = meaning_graph(names, np.random.default_rng(1).standard_normal((len(names), 16)), k=5)
    merged = merge_graphs(graph, meaning)
    Threshold(0.5)(KNN(5)(merged))
    PMI()(graph)
    summarize(merged)


def measures(data, folder):
    database, query = data.rows("database"), data.rows("query")
    labels = data.label_rows(query, dense=False), data.label_rows(database, dense=False)
    metrics = ["map", "ndcg@10", "jaccard@10", "exact@10", "precision@10"]
    for ties in ("database", "expected"):
        evaluate(data.image[query], data.text[database], *labels, metrics, ties=ties)
    evaluate_protocol(lambda part: (part.image, part.text), data, "query-vs-database", metrics)
    class_means(torch.rand(len(query)), labels[0])
    label_query_precision(torch.randn(LABELS, 8)[:2000], data.image[:5000], data.labels[:5000, :2000])
    label_average_precision(sp.csr_array(labels[0].to_dense().numpy()[:50]), labels[0].to_dense()[:50])


def trainings(data, folder):
    few = data.select(torch.arange(0, ITEMS, 50))
    few = few.with_splits({"train": range(800), "validation": range(800, 900), "test": range(900, 1000)})
    how = {"epochs": 1, "batch_size": 100, "patience": 0}
    for name in ("expected-relevance", "algcn", "p-gnn-con"):
        model = {"hidden_channels": 8}
        if name != "expected-relevance":
            model |= {"label_embedding": "learned", "embedding_channels": 8}
        method = train_method(name, few, model=model, train=how, progress=False, unseen_labels=True).method
        encode(method, few)
        evaluate_labels(method, few)


def main():
    warnings.simplefilter("ignore")
    torch.zeros(600, 600) @ torch.zeros(600, 600)  # Threads and their stacks are there before the limit.
    data = make()
    limit_memory()
    try:
        np.ones((ITEMS, LABELS), bool)
    except MemoryError:
        print("limited")
    with tempfile.TemporaryDirectory() as folder:
        for step in (files, changes, card, batches, graphs, measures, trainings):
            start = time.perf_counter()
            step(data, Path(folder))
            print(step.__name__, flush=True)
            print(f"{step.__name__}: {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
