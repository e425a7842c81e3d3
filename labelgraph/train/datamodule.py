"""Batches of pairs, in an order that a resumed training repeats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler

from labelgraph._core.multi_hot import item_sums, label_sums
from labelgraph.data import CrossModalData


class Batch(NamedTuple):
    """A batch of pairs.

    Args:
        image: Image features, (B, D_v).
        text: Text features, (B, D_t), dense or sparse CSR as in the data.
        labels: Multi-hot labels, (B, C), dense, or sparse CSR where the data have many and the method takes them so.
        present: Whether the image and the text are present, (B, 2).
    """

    image: Tensor
    text: Tensor
    labels: Tensor
    present: Tensor


class PairDataset(Dataset):
    """A dataset that indexes the data once for each batch instead of once for each pair.

    Args:
        data: Pairs, in memory or mapped from files. Only the rows of a batch are copied.
        rows: Rows of the pairs in this dataset.
        sparse_labels: Whether batches have sparse labels if the data have; otherwise, they are dense.
    """

    def __init__(self, data: CrossModalData, rows: Tensor, sparse_labels: bool = False) -> None:
        self.data, self.rows, self.sparse_labels = data, rows, sparse_labels

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, index: list[int]) -> Batch:
        """Return a batch of pairs."""
        rows, data = self.rows[index], self.data
        labels = data.label_rows(rows, dense=not self.sparse_labels)
        return Batch(data.image[rows], data.text_rows(rows, dense=False), labels, data.present[rows])


class SharedBatches(Sampler[list[int]]):
    """The part of one process of each batch: consecutive items, as many as in the other processes or one fewer.

    Args:
        sampler: Order of the items, the same in all processes.
        batch_size: Number of items in the batch of all processes.
        rank: Number of this process.
        num_processes: Number of processes.

    Example:
        >>> from labelgraph.train.datamodule import SharedBatches
        >>> [[*SharedBatches(range(5), 4, rank, 2)] for rank in (0, 1)]
        [[[0, 1], [4]], [[2, 3], []]]
    """

    def __init__(self, sampler: Sampler[int] | range, batch_size: int, rank: int = 0, num_processes: int = 1) -> None:
        self.sampler = sampler  # Lightning sets the epoch of this attribute.
        self.batches = BatchSampler(sampler, batch_size, drop_last=False)
        self.rank, self.num_processes = rank, num_processes

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches:
            size, more = divmod(len(batch), self.num_processes)
            start = self.rank * size + min(self.rank, more)
            yield batch[start : start + size + (self.rank < more)]


class EpochSampler(Sampler[int]):
    """A random order that depends only on the seed and the epoch, so that a resumed training repeats the order.

    Args:
        size: Number of items.
        seed: Seed of the random orders.
        kinds: Kind of each item, (size,). If given, the kinds are spread evenly over the order.
    """

    def __init__(self, size: int, seed: int, kinds: Tensor | None = None) -> None:
        self.size = size
        self.seed = seed
        self.kinds = kinds
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which determines the order. Lightning calls this method before every epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(epoch_seed(self.seed, self.epoch))
        order = torch.randperm(self.size, generator=generator)
        yield from (order if self.kinds is None else _interleave(order, self.kinds)).tolist()


def _interleave(order: Tensor, kinds: Tensor) -> Tensor:
    """Spread each kind evenly over the order, and keep the order within each kind."""
    place = torch.empty(len(order), dtype=torch.float64)
    for kind in kinds.unique():
        members = (kinds[order] == kind).nonzero().flatten()
        place[members] = (torch.arange(len(members), dtype=torch.float64) + 0.5) / len(members)
    return order[place.argsort(stable=True)]


def epoch_seed(seed: int, epoch: int) -> int:
    """Return the random seed of an epoch, which differs between the seeds of a training and between its epochs."""
    return seed * 100_003 + epoch


class CrossModalDataModule(L.LightningDataModule):
    """Training items, and the items of the split that selects the best epoch.

    Args:
        data: Data with the split ``train`` and the split that ``select`` names.
        batch_size: Number of pairs in a batch of all processes.
        seed: Seed of the order of the training items.
        select: Split that selects the best epoch. With ``last``, no split is used.
        interleave: Spread complete, image-only and text-only items evenly over the batches.
        reads_labels: Whether the method reads labels in training.
        unseen_labels: Allow labels without a training item.
        sparse_labels: Whether the method takes the labels of a batch as a CSR tensor, if the data have many labels.

    Raises:
        ValueError: If a split is missing, or no training item is complete. If the method reads labels, also if a label
            has no training item, unless ``unseen_labels`` is set, or a training item has no label.
    """

    def __init__(
        self,
        data: CrossModalData,
        batch_size: int,
        seed: int = 0,
        select: str = "validation",
        *,
        interleave: bool = False,
        reads_labels: bool = True,
        unseen_labels: bool = False,
        sparse_labels: bool = False,
    ) -> None:
        super().__init__()
        self.train_set = PairDataset(data, data.rows("train"), sparse_labels)
        self.select_set = None if select == "last" else PairDataset(data, data.rows(select), sparse_labels)
        self.batch_size = batch_size
        self.seed = seed
        self.interleave = interleave
        if not self._present.all(1).any():
            raise ValueError(f"the split 'train' must have complete items (got none of {len(self.train_set)})")
        if reads_labels:
            _check_learnable(data, self.train_set.rows, unseen_labels)

    @property
    def _present(self) -> Tensor:
        return self.train_set.data.present[self.train_set.rows]

    def train_dataloader(self) -> DataLoader:
        """Return the training batches in random order."""
        kinds = self._present.long() @ torch.tensor([1, 2]) if self.interleave else None
        order = EpochSampler(len(self.train_set), self.seed, kinds)
        return self._loader(self.train_set, SharedBatches(order, self.batch_size, *self._place))

    def val_dataloader(self) -> DataLoader | list[Any]:
        """Return the items of the split that selects the best epoch, in order."""
        if self.select_set is None:
            return []
        rank, processes = self._place
        size = len(self.select_set)
        if size < processes:
            raise ValueError(f"the split that selects the epoch must have an item for each device (got {size})")
        own = range(size * rank // processes, size * (rank + 1) // processes)
        return self._loader(self.select_set, SharedBatches(own, self.batch_size))

    @property
    def _place(self) -> tuple[int, int]:
        """The rank of this process, and the number of processes."""
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)

    def _loader(self, pairs: PairDataset, batches: Sampler[list[int]]) -> DataLoader:
        return DataLoader(
            pairs,
            batch_sampler=batches,
            collate_fn=_as_is,
            pin_memory=torch.cuda.is_available() and not _has_sparse(pairs),
            # Every start of a loader draws a random number. Its own generator keeps the global random state unchanged.
            generator=torch.Generator(),
        )


def _has_sparse(pairs: PairDataset) -> bool:
    sparse_labels = pairs.sparse_labels and not isinstance(pairs.data.labels, Tensor)
    return sparse_labels or not isinstance(pairs.data.text, Tensor)


def _as_is(batch: Any) -> Any:
    return batch


def _check_learnable(data: CrossModalData, rows: Tensor, unseen_labels: bool) -> None:
    """Check that every label has a training item, unless labels may be unseen, and every training item a label."""
    labels = data.label_rows(rows, dense=False)
    count = label_sums(labels)
    if (count == 0).any() and not unseen_labels:
        names = [data.label_names[i] for i in (count == 0).nonzero().flatten().tolist()]
        raise ValueError(
            f"every label must have a training item (got none for {', '.join(names[:5])})"
            "; remove the label, or pass unseen_labels=True"
        )
    without = rows[item_sums(labels) == 0].tolist()
    if without:
        raise ValueError(
            f"every training item must have a label (got {len(without)} without, first {data.ids[without[0]]!r}); "
            "remove them from the split 'train'"
        )
