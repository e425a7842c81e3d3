"""A small data set, a model and an index, made once by the command."""

from dataclasses import replace

import pytest
import torch

from labelgraph.cli.main import main
from labelgraph.data import CrossModalData, save_npz

SMALL = ["--set", "model.hidden_channels=8", "model.num_layers=1", "train.lr=3e-3", "train.batch_size=16",
         "train.checkpoint_every=1", "train.device=cpu"]  # fmt: skip


def small_data(size=60, seed=0):
    """Pairs whose images and texts follow their labels, with names, ids and titles."""
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(size, 5, generator=generator) < 0.3).float()
    labels[torch.arange(size), torch.arange(size) % 5] = 1.0
    image, text = (
        labels @ torch.randn(5, channels, generator=generator) + 0.3 * torch.randn(size, channels, generator=generator)
        for channels in (12, 9)
    )
    names, ids = ["sky", "été", "a b", "dog", "sea"], [f"item-{i}" for i in range(size)]
    order = torch.randperm(size, generator=generator)
    splits = {"train": order[:30], "validation": order[30:40], "test": order[40:], "query": order[40:]}
    splits["database"] = order[:40]
    return CrossModalData(image, text, labels, names, splits, ids, [f"title {i}" for i in range(size)])


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """A folder with ``data.npz``, ``bare.npz`` (without splits), ``model`` and ``index``; not to be changed."""
    folder = tmp_path_factory.mktemp("cli")
    data = small_data()
    save_npz(data, folder / "data.npz")
    save_npz(replace(data, splits={}), folder / "bare.npz")
    train = ["train", str(folder / "data.npz"), "--out", str(folder / "model"), "--epochs", "3", "--quiet", *SMALL]
    assert main(train) == 0
    assert main(["index", str(folder / "model"), str(folder / "data.npz"), "--out", str(folder / "index")]) == 0
    return folder


@pytest.fixture
def data():
    return small_data()
