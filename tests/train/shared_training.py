"""Trainings that must give the same method in one and in two processes; tests start this file by torchrun."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import lightning as L
import scipy.sparse as sp
import torch

from labelgraph.data import CrossModalData
from labelgraph.train import train_method

GRAPH = {"hidden_channels": 8, "num_layers": 2, "threshold": 0.3}
RELEVANCE = {"hidden_channels": 8, "dropout": 0.0, "word_dropout": 0.0, "pair_weight": 0.5}
CODES = {"bits": 12, "hidden_channels": 8, "graph_channels": (8, 8)}
CASES = {
    "algcn": GRAPH,
    "algcn codes": {**GRAPH, "bits": 8},
    "dagnn": GRAPH,
    "dagnn incomplete": GRAPH,
    "p-gnn-con": GRAPH,
    "i-gnn-con": GRAPH,
    "agah": CODES,
    "agah residual": {**CODES, "adjacency": "residual", "num_items": 8},
    "agah sparse": CODES,
    "expected-relevance": RELEVANCE,
    "expected-relevance codes": {**RELEVANCE, "bits": 8},
    "expected-relevance average": RELEVANCE,
    "expected-relevance many": {**RELEVANCE, "drawn_labels": 50},
    "algcn many": {**GRAPH, "drawn_labels": 50},
    # Of 300 channels of five labels, most would be nearly 0.
    "p-gnn-con many": {**GRAPH, "drawn_labels": 50, "embedding_channels": 4},
}
RESUMED = "algcn resumed"


class Interrupted(RuntimeError):
    pass


class InterruptInEpoch(L.Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def on_train_batch_end(self, trainer, *_):
        if trainer.current_epoch == self.epoch:
            raise Interrupted


def pairs(case, size=72):
    """Pairs of which 33 are for training, so that the last batch of 8 has a single pair."""
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(size, 5, generator=generator) < 0.3).float()
    labels[torch.arange(size), torch.arange(size) % 5] = 1.0
    image, text = (
        labels @ torch.randn(5, width, generator=generator) + torch.randn(size, width, generator=generator)
        for width in (32, 18)
    )
    splits = {"train": range(33), "validation": range(33, 52), "test": range(52, size)}
    data = CrossModalData(image, text.relu(), labels, splits=splits)
    if case.endswith("many"):
        wide = sp.hstack([sp.csr_array(labels.numpy()), sp.csr_array((size, 1200), dtype="float32")], format="csr")
        return replace(data, labels=wide, label_names=())
    if case == "agah sparse":
        return replace(data, text=data.text.to_sparse_csr())
    if case == "dagnn incomplete":
        data.present[:12, 0], data.present[12:20, 1] = False, False
    return data


def train(case, devices, folder=None, **options):
    """Train in double precision, so that rounding hides no difference."""
    how = {"epochs": 3, "batch_size": 8, "lr": 3e-3, "device": "cpu", "devices": devices, "precision": "64-true"}
    how |= {"checkpoint_every": 1, "ema_decay": 0.9 if case.endswith("average") else 0.0}
    stages = {"train": how, "stage2": {**how, "epochs": 2}} if "incomplete" in case else {"train": how}
    options |= {"folder": folder, "progress": False, "unseen_labels": case.endswith("many")}
    return train_method(case.split()[0], pairs(case), model=CASES[case], **stages, **options)


def state_of(trained):
    """The weights of a trained method, its history and its best epoch."""
    history = [[*row.values()] for stage in trained.stages.values() for row in stage.history]
    about = {"history": torch.tensor(history), "best": torch.tensor(trained.result.best_epoch)}
    return {**trained.method.state_dict(), **about}


def main(out):
    """Train all cases, and save what this process has at the end."""
    rank, devices = os.environ["RANK"], int(os.environ["WORLD_SIZE"])
    for case in CASES:
        torch.save(state_of(train(case, devices)), out / f"{case} {rank}.pt")
    folder = out / "folder"
    try:
        train("algcn", devices, folder, callbacks=[InterruptInEpoch(2)])
    except Interrupted:
        trained = train("algcn", devices, folder)
    torch.save(state_of(trained), out / f"{RESUMED} {rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
