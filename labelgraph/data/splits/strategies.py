"""Strategies of published papers for splits, and holding out a validation split."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from labelgraph._core.array_kinds import as_sparse
from labelgraph._core.multi_hot import item_labels
from labelgraph.data.pairs import CrossModalData
from labelgraph.data.splits.split_names import NAMES, SPLITS

Parts = dict[str, np.ndarray]

# Published sizes by strategy and data set. The sizes of AGAH are items per label.
PUBLISHED_SIZES: dict[str, dict[str, dict[str, float]]] = {
    "dcmh": {
        "mirflickr": {"query": 2000, "train": 10_000},
        "nus-wide-tc10": {"query": 2100, "train": 10_500},
        "nus-wide-tc21": {"query": 2100, "train": 10_500},
    },
    "agah": {
        "mirflickr": {"query": 80, "train": 200, "first": 2},
        "nus-wide-tc10": {"query": 200, "train": 500, "first": 1},
    },
}


def make_splits(data: CrossModalData | Tensor, name: str, seed: int = 0, **sizes: float) -> dict[str, Tensor]:
    """Split a data set by one of the strategies in ``SPLITS``, for ``data.with_splits``.

    Every strategy gives ``train``, ``validation``, ``test``, ``query`` and ``database``, so that both protocols of
    `labelgraph.metrics` apply. If a strategy has no queries, the test items are the queries, and the reverse. If it
    has no database, the training and validation items are the database. Validation items are taken from the
    training items. No query is used for training or validation.

    Args:
        data: The data set, or its labels; existing splits are ignored.
        name: Key of ``SPLITS``.
        seed: Random seed; the same seed gives the same splits.
        sizes: Sizes of the strategy; a value below 1 is a share, any other a number of items. ``PUBLISHED_SIZES``
            has the sizes in the papers.

    Returns:
        Sorted index vectors by name; without ``validation`` if its size is 0.

    Raises:
        ValueError: If the strategy or a size is unknown, or the data set is too small.

    Example:
        >>> import torch
        >>> from labelgraph.data import CrossModalData, make_splits
        >>> data = CrossModalData(torch.ones(20, 2), torch.ones(20, 3), torch.ones(20, 1))
        >>> {name: len(index) for name, index in make_splits(data, "dcmh", query=4, train=10).items()}
        {'train': 9, 'validation': 1, 'test': 4, 'query': 4, 'database': 16}
    """
    if name not in SPLITS:
        raise ValueError(f"'name' must be one of the splits {', '.join(SPLITS)} (got {name!r})")
    known = list(inspect.signature(SPLITS[name]).parameters)[2:]
    for size in sizes:
        if size not in known:
            raise ValueError(f"the sizes of the split '{name}' must be among {', '.join(known)} (got {size!r})")
    labels = as_sparse("data", data if isinstance(data, Tensor) else data.labels)
    parts = SPLITS[name](labels > 0, np.random.default_rng(seed), **sizes)
    return complete_splits({key: torch.from_numpy(np.sort(index)) for key, index in parts.items() if len(index)})


def complete_splits(splits: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Add splits that follow from others: queries from test items or the reverse, a database from training items.

    Args:
        splits: Index vectors by name, such as from `read_splits`.

    Example:
        >>> import torch
        >>> from labelgraph.data import complete_splits
        >>> splits = complete_splits({"train": torch.arange(20), "test": torch.tensor([20])})
        >>> {name: len(index) for name, index in splits.items()}
        {'train': 20, 'test': 1, 'query': 1, 'database': 20}
    """
    completed = dict(splits)
    for one, other in (("test", "query"), ("query", "test")):
        if one not in completed and other in completed:
            completed[one] = completed[other]
    seen = [completed[name] for name in ("train", "validation") if name in completed]
    if seen and "database" not in completed:
        completed["database"] = torch.cat(seen).sort().values
    names = (*NAMES, *sorted(completed.keys() - set(NAMES)))
    return {name: completed[name] for name in names if name in completed}


def test_vs_test(labels: Any, rng: np.random.Generator, test: float = 0.2, validation: float = 0.1) -> Parts:
    """Random test items are both queries and gallery; the rest is for training (ALGCN, DAGNN and others)."""
    size = labels.shape[0]
    order = rng.permutation(size)
    cut = _count("test", test, size)
    return {"test": order[:cut], **_validate(order[cut:], validation)}


def dcmh(
    labels: Any, rng: np.random.Generator, query: float = 0.1, train: float = 0.5, validation: float = 0.1
) -> Parts:
    """Random queries; the rest is the database, and a random part of the database is for training.

    Published for DCMH (Jiang and Li, Deep Cross-Modal Hashing, CVPR 2017); the default shares are those for
    MIRFlickr. ``train`` includes the validation items.
    """
    size = labels.shape[0]
    order = rng.permutation(size)
    cut = _count("query", query, size)
    wanted = _count("train", train, size)
    if cut + wanted > size:
        raise ValueError(f"'query' and 'train' must leave {size} items (got {cut} and {wanted})")
    database = order[cut:]
    return {"query": order[:cut], "database": database, **_validate(database[:wanted], validation)}


def agah(
    labels: Any,
    rng: np.random.Generator,
    query: float = 80,
    train: float = 200,
    first: float = 2,
    validation: float = 0.1,
) -> Parts:
    """Queries and training items are drawn label by label, so that rare labels occur; the rest is the database.

    Published for AGAH (APWeb-WAIM 2023). ``query`` and ``train`` are numbers of items per label; the first label gets
    ``first`` times as many. An item is drawn once, for the first of its labels that draws it. If rare labels have
    too few items, random remaining items fill the splits.
    """
    columns = sp.csc_array(labels)
    size, num_labels = columns.shape
    factor = np.ones(num_labels, dtype=np.int64)
    factor[0] = round(first)
    wanted = {"query": round(query) * factor, "train": round(train) * factor}
    total = {name: int(sizes.sum()) for name, sizes in wanted.items()}
    if min(total.values()) < 1 or sum(total.values()) > size:
        raise ValueError(
            f"'query' and 'train' must leave {size} items (got {total['query']} and {total['train']}, which is "
            f"{query:g} and {train:g} a label)"
        )
    order = rng.permutation(size)
    place = np.argsort(order)
    owner = np.full(size, "", dtype="<U5")
    for label in range(num_labels):
        items = columns.indices[columns.indptr[label] : columns.indptr[label + 1]]
        items = items[owner[items] == ""]
        free = items[np.argsort(place[items])]
        cut = wanted["query"][label]
        owner[free[:cut]] = "query"
        owner[free[cut : cut + wanted["train"][label]]] = "train"
    for name in ("query", "train"):
        missing = total[name] - np.count_nonzero(owner == name)
        owner[order[owner[order] == ""][:missing]] = name
    training = order[owner[order] == "train"]
    return {
        "query": np.flatnonzero(owner == "query"),
        "database": np.flatnonzero(owner != "query"),
        **_validate(training, validation),
    }


def uniform(labels: Any, rng: np.random.Generator, validation: float = 0.1, test: float = 0.1) -> Parts:
    """Random shares of all items: by default 80 % training, 10 % validation, 10 % test."""
    size = labels.shape[0]
    order = rng.permutation(size)
    cut = _count("test", test, size)
    return {"test": order[:cut], **_validate(order[cut:], validation, size)}


def stratified(labels: Any, rng: np.random.Generator, validation: float = 0.1, test: float = 0.1) -> Parts:
    """Like ``uniform``, but stratified: items are distributed evenly by the rarest label of each item."""
    size = labels.shape[0]
    chosen, rest = systematic(by_rarest_label(labels, rng), _count("test", test, size), rng)
    held_out = _count("validation", validation, size) if validation else 0
    validating, training = systematic(rest, held_out, rng)
    return {"test": chosen, "validation": validating, "train": training}


def by_rarest_label(labels: Any, rng: np.random.Generator) -> np.ndarray:
    """Order items by their rarest label, and randomly within a label.

    Args:
        labels: Multi-hot labels, dense or sparse, (N, C).
        rng: Generator of the random order.
    """
    matrix = sp.csr_array(labels)
    size, num_labels = matrix.shape
    frequency = np.bincount(matrix.indices, minlength=num_labels)
    # Equally frequent labels are ranked by column, so that their items do not mix.
    rank = np.argsort(np.argsort(frequency, kind="stable"))
    rarest = np.full(size, num_labels)
    labelled = np.diff(matrix.indptr) > 0
    if matrix.nnz:
        rarest[labelled] = np.minimum.reduceat(rank[matrix.indices], matrix.indptr[:-1][labelled])
    shuffled = rng.permutation(size)
    return shuffled[np.argsort(rarest[shuffled], kind="stable")]


def systematic(order: np.ndarray, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Take ``size`` items at equal steps from a random start; return these items and the rest, in order."""
    places = np.floor((np.arange(size) + rng.random()) * len(order) / max(size, 1)).astype(np.int64)
    taken = np.zeros(len(order), dtype=bool)
    taken[places] = True
    return order[taken], order[~taken]


def _validate(training: np.ndarray, validation: float, base: int | None = None) -> Parts:
    """Split the validation items off the training items, which are in random order."""
    cut = _count("validation", validation, base or len(training)) if validation else 0
    if cut >= len(training):
        raise ValueError(f"'validation' must leave some of {len(training)} training items (got {cut})")
    return {"validation": training[:cut], "train": training[cut:]}


def _count(name: str, size: float, total: int) -> int:
    """Number of items of a size; a size below 1 is a share of the total."""
    count = round(size * total) if size < 1 else round(size)
    if not 1 <= count < total:
        raise ValueError(f"'{name}' must give 1 to {total - 1} of {total} items (got {size:g}, which is {count})")
    return count


def hold_out(data: CrossModalData, share: float = 0.1, seed: int = 0) -> CrossModalData:
    """Move random items of the split ``train`` to a new split ``validation``.

    Every label keeps a training item: the last of its items in the random order.

    Args:
        data: Data with a split ``train`` and without a split ``validation``.
        share: Share of the training items to hold out, at least one item.
        seed: Seed of the random choice.

    Raises:
        ValueError: If the share is not between 0 and 1, ``train`` is missing, ``validation`` exists, or
            every item is the one that a label keeps.

    Example:
        >>> import torch
        >>> from labelgraph.data import CrossModalData, hold_out
        >>> data = CrossModalData(torch.ones(20, 2), torch.ones(20, 3), torch.ones(20, 1), splits={"train": range(20)})
        >>> hold_out(data)
        CrossModalData(20 pairs, image 2, text 3, 1 label, splits: train 18, validation 2)
    """
    if not 0 < share < 1:
        raise ValueError(f"'share' must be between 0 and 1 (got {share})")
    if "train" not in data.splits or "validation" in data.splits:
        raise ValueError(
            f"'data' must have a split 'train' and none called 'validation' (got {', '.join(data.splits) or 'none'})"
        )
    train = data.splits["train"]
    order = train[torch.from_numpy(np.random.default_rng(seed).permutation(len(train)))]
    place, label = item_labels(data.label_rows(order, dense=False))
    last = torch.full((data.num_labels,), -1).scatter_reduce(0, label, place, "amax")
    free = torch.ones(len(order), dtype=torch.bool)
    free[last[last >= 0]] = False
    held_out = order[free][: max(1, round(share * len(train)))].sort().values
    if not len(held_out):
        raise ValueError(
            f"'data' must have a training item whose labels occur in other training items (got none of {len(train)})"
        )
    remaining = train[~torch.isin(train, held_out)]
    return data.with_splits({**data.splits, "train": remaining, "validation": held_out})
