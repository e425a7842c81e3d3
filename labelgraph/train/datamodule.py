"""Batches of pairs, in an order that a resumed run repeats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from labelgraph.data import CrossModalData

Batch = tuple[Tensor, Tensor, Tensor]


class PairDataset(Dataset):
    """Pairs drawn a batch at a time, which costs one indexing instead of one a pair."""

    def __init__(self, data: CrossModalData) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitems__(self, index: list[int]) -> Batch:
        """Image features, text features and labels of some items."""
        rows = torch.tensor(index)
        return self.data.image[rows], self.data.text_rows(rows), self.data.labels[rows]


class EpochSampler(Sampler[int]):
    """A random order that depends on the seed and the epoch alone, so that resuming repeats it."""

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order; Lightning calls this before every epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(epoch_seed(self.seed, self.epoch))
        yield from torch.randperm(self.size, generator=generator).tolist()


def epoch_seed(seed: int, epoch: int) -> int:
    """One seed for each seed of a run and each epoch of it."""
    return seed * 100_003 + epoch


class CrossModalDataModule(L.LightningDataModule):
    """The training items of a data set, and those on which the best epoch is chosen.

    Args:
        data: Data with the splits ``train`` and ``select``.
        batch_size: Pairs a batch.
        seed: Of the order of the training items.
        select: The split to choose on.

    Raises:
        ValueError: If a split is missing, a label has no training item, or a training item no label.
    """

    def __init__(self, data: CrossModalData, batch_size: int, seed: int = 0, select: str = "validation") -> None:
        super().__init__()
        self.train_data = data.split("train")
        self.select_data = data.split(select)
        self.batch_size = batch_size
        self.seed = seed
        _check_learnable(self.train_data)

    def train_dataloader(self) -> DataLoader:
        """Shuffled training batches."""
        return self._loader(self.train_data, EpochSampler(len(self.train_data), self.seed))

    def val_dataloader(self) -> DataLoader:
        """The items to choose on, in order."""
        return self._loader(self.select_data, None)

    def _loader(self, data: CrossModalData, sampler: Sampler | None) -> DataLoader:
        return DataLoader(
            PairDataset(data),
            self.batch_size,
            sampler=sampler,
            collate_fn=_as_is,
            pin_memory=torch.cuda.is_available(),
            # A loader draws a number whenever it is begun, and a resumed run begins it at another moment.
            generator=torch.Generator(),
        )


def _as_is(batch: Any) -> Any:
    return batch


def _check_learnable(train: CrossModalData) -> None:
    count = train.labels.sum(0)
    if (count == 0).any():
        names = [train.label_names[i] for i in (count == 0).nonzero().flatten().tolist()]
        raise ValueError(f"every label must have a training item (got none for {', '.join(names[:5])})")
    bare = (train.labels.sum(1) == 0).nonzero().flatten().tolist()
    if bare:
        raise ValueError(
            f"every training item must have a label (got {len(bare)} without, first {train.ids[bare[0]]!r}); "
            "leave them out of the split 'train'"
        )
