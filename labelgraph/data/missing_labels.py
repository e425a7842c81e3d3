"""Training labels that are missing at random, and labels that no training item has, for experiments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from labelgraph._core.argument_kinds import check_kind
from labelgraph._core.checked_config import Share, check_value
from labelgraph._core.multi_hot import item_labels, item_sums, label_sums, without_labels
from labelgraph._core.names import check_name
from labelgraph.data.pairs import CrossModalData, train_rows

READ = ("train", "validation")  # Splits that a training reads.
JUDGED = ("test", "query")


def drop_labels(data: CrossModalData, share: float = 0.5, seed: int = 0) -> CrossModalData:
    """Remove labels of training items at random; all other items keep their labels.

    Each label of each training item is removed with the probability ``share``. An item that would lose all its labels
    keeps one of them, chosen at random, because training needs items with labels. With one seed, a larger share removes
    the same labels and more.

    Args:
        data: Data with a split ``train``.
        share: Probability that a label is removed.
        seed: Seed of the random choice.

    Raises:
        ValueError: If the share is not in [0, 1], or there is no split ``train``.

    Example:
        >>> import torch
        >>> from labelgraph.data import CrossModalData, drop_labels
        >>> data = CrossModalData(torch.ones(4, 2), torch.ones(4, 3), torch.ones(4, 5), splits={"train": [0, 1, 2]})
        >>> [drop_labels(data, share).labels.sum(1).tolist() for share in (0.0, 1.0)]
        [[5.0, 5.0, 5.0, 5.0], [1.0, 1.0, 1.0, 5.0]]
    """
    share = check_value("share", share, Share)
    rows = train_rows(data)
    item, label = item_labels(data.label_rows(rows, dense=False))
    draw = torch.rand(len(item), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    highest = torch.zeros(len(rows), dtype=torch.float64).scatter_reduce(0, item, draw, "amax")
    lost = (draw < share) & (draw < highest[item])
    return replace(data, labels=without_labels(data.labels, rows[item[lost]], label[lost]))


def hold_out_labels(data: CrossModalData, labels: int | Sequence[str], seed: int = 0) -> CrossModalData:
    """Hold out whole labels from training: no item of the splits ``train`` and ``validation`` keeps them.

    The labels stay among the label names, and all other items keep them, so that they can be searched for and measured.
    An item of ``train`` or ``validation`` that has no other label leaves this split.

    Args:
        data: Data with a split ``train``.
        labels: Names of labels, or the number of labels to draw. Labels are drawn from those that have an item in
            ``train``, and in ``test`` or ``query`` if the data have such a split.
        seed: Seed of the random choice.

    Raises:
        ValueError: If a name is unknown, there are too few labels, there is no split ``train``, or a split would lose
            all its items.

    Example:
        >>> import torch
        >>> from labelgraph.data import CrossModalData, hold_out_labels
        >>> data = CrossModalData(
        ...     torch.ones(4, 2), torch.ones(4, 3), [["cat"], ["cat", "dog"], ["dog"], ["cat"]],
        ...     splits={"train": [0, 1, 2], "test": [3]})
        >>> held_out = hold_out_labels(data, ["cat"])
        >>> held_out.label_names, held_out.split("train").labels.tolist(), held_out.split("test").labels.tolist()
        (('cat', 'dog'), [[0.0, 1.0], [0.0, 1.0]], [[1.0, 0.0]])
    """
    train_rows(data)
    columns = _drawn(data, labels, seed) if isinstance(labels, int) else _named(data, labels)
    splits, item_label = dict(data.splits), item_labels(data.labels)
    reads = torch.zeros(len(data), dtype=torch.bool)
    reads[torch.cat([splits[name] for name in READ if name in splits])] = True
    lost = reads[item_label[0]] & torch.isin(item_label[1], columns)
    changed = without_labels(data.labels, *(part[lost] for part in item_label))
    sums, left = item_sums(data.labels), item_sums(changed)
    for name in READ:
        if name in splits:
            rows = splits[name]
            had, has = sums[rows] > 0, left[rows] > 0
            splits[name] = rows[has | ~had]
            if not len(splits[name]):
                raise ValueError(f"'labels' must leave items of the split '{name}' with other labels (got none)")
    return replace(data, labels=changed, splits=splits)


def _named(data: CrossModalData, names: Sequence[str]) -> Tensor:
    names = [names] if isinstance(names, str) else names
    check_kind("labels", names, Iterable, "names of labels, or their number")
    for name in names:
        check_name("labels", name, data.label_names)
    column = {name: place for place, name in enumerate(data.label_names)}
    return torch.tensor([column[name] for name in dict.fromkeys(names)], dtype=torch.long)


def _drawn(data: CrossModalData, number: int, seed: int) -> Tensor:
    """Draw columns of labels that training and evaluation have."""
    eligible = _occur(data, data.rows("train"))
    judged = [_occur(data, data.splits[name]) for name in JUDGED if name in data.splits]
    if judged:
        eligible &= torch.stack(judged).any(0)
    columns = eligible.nonzero().flatten()
    if not 0 <= number < len(columns):
        raise ValueError(
            f"'labels' must be 0 to {len(columns) - 1}, fewer than the labels of both training and test (got {number})"
        )
    order = torch.randperm(len(columns), generator=torch.Generator().manual_seed(seed))
    return columns[order[:number]].sort().values


def _occur(data: CrossModalData, rows: Tensor) -> Tensor:
    return label_sums(data.label_rows(rows, dense=False)) > 0
