"""A small data set and settings for a quick training."""

import torch

from labelgraph.data import CrossModalData

SMALL = ["--method", "algcn", "--set", "model.hidden_channels=8", "model.num_layers=1", "train.lr=3e-3",
         "train.batch_size=16", "train.checkpoint_every=1", "train.device=cpu"]  # fmt: skip


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
