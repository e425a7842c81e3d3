"""Splits as papers draw them, and items held out for validation."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelgraph.data.pairs import CrossModalData
from labelgraph.data.splits.split_names import NAMES

Parts = dict[str, np.ndarray]

# Sizes of the papers, by split and data set. AGAH's are items a label.
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
    """Split a set in one of the ways of ``SPLITS``; ``data.with_splits`` takes the result.

    Every way gives ``train``, ``validation``, ``test``, ``query`` and ``database``, so that either protocol of
    `labelgraph.metrics` can follow: where a way has no queries of its own they are the test items, and the
    reverse; where it has no database, this is all that is trained and validated on. Validation items are taken
    from the training part. No item that is searched with is trained or validated on.

    Args:
        data: The set, or its labels; its own splits are not looked at.
        name: Key of ``SPLITS``.
        seed: Of all that is drawn; the same seed gives the same splits.
        sizes: Options of that way: below 1 a share, else a number of items. ``PUBLISHED_SIZES`` has those of
            the papers.

    Returns:
        Sorted index vectors by name; without ``validation`` if its size is 0.

    Raises:
        ValueError: If the way, or a size, is unknown, or the set is too small.

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
    labels = data if isinstance(data, Tensor) else data.labels
    parts = SPLITS[name](labels.numpy() > 0, np.random.default_rng(seed), **sizes)
    return complete_splits({key: torch.from_numpy(np.sort(index)) for key, index in parts.items() if len(index)})


def complete_splits(splits: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Add the splits that follow from others: queries from test items or the reverse, a database from the rest.

    Args:
        splits: Index vectors by name; those of a set that comes split, or of index files.

    Example:
        >>> import torch
        >>> from labelgraph.data import complete_splits
        >>> splits = complete_splits({"train": torch.arange(20), "test": torch.tensor([20])})
        >>> {name: len(index) for name, index in splits.items()}
        {'train': 20, 'test': 1, 'query': 1, 'database': 20}
    """
    found = dict(splits)
    for one, other in (("test", "query"), ("query", "test")):
        if one not in found and other in found:
            found[one] = found[other]
    seen = [found[name] for name in ("train", "validation") if name in found]
    if seen and "database" not in found:
        found["database"] = torch.cat(seen).sort().values
    return {name: found[name] for name in (*NAMES, *sorted(found.keys() - set(NAMES))) if name in found}


def test_vs_test(labels: np.ndarray, rng: np.random.Generator, test: float = 0.2, validation: float = 0.1) -> Parts:
    """Random test items, which are both the queries and the gallery; the rest trains (ALGCN, DAGNN and others)."""
    order = rng.permutation(len(labels))
    cut = _count("test", test, len(labels))
    return {"test": order[:cut], **_validate(order[cut:], validation)}


def dcmh(
    labels: np.ndarray, rng: np.random.Generator, query: float = 0.1, train: float = 0.5, validation: float = 0.1
) -> Parts:
    """Random queries, the rest is the database, a random part of that trains.

    Published for DCMH (Jiang and Li, Deep Cross-Modal Hashing, CVPR 2017); the default shares are those of its
    MIRFlickr. ``train`` counts the validation items too.
    """
    order = rng.permutation(len(labels))
    cut = _count("query", query, len(labels))
    wanted = _count("train", train, len(labels))
    if cut + wanted > len(labels):
        raise ValueError(f"'query' and 'train' must leave {len(labels)} items (got {cut} and {wanted})")
    database = order[cut:]
    return {"query": order[:cut], "database": database, **_validate(database[:wanted], validation)}


def agah(
    labels: np.ndarray,
    rng: np.random.Generator,
    query: float = 80,
    train: float = 200,
    first: float = 2,
    validation: float = 0.1,
) -> Parts:
    """Queries and training items drawn label by label, so that rare labels have theirs; the rest is the database.

    Published for AGAH (APWeb-WAIM 2023). ``query`` and ``train`` are items a label, of the first label ``first``
    times as many. An item is drawn once, for the first of its labels that draws it; what rare labels lack is
    topped up from all that are left.
    """
    factor = np.ones(labels.shape[1], dtype=np.int64)
    factor[0] = round(first)
    wanted = {"query": round(query) * factor, "train": round(train) * factor}
    total = {name: int(each.sum()) for name, each in wanted.items()}
    if min(total.values()) < 1 or sum(total.values()) > len(labels):
        raise ValueError(
            f"'query' and 'train' must leave {len(labels)} items (got {total['query']} and {total['train']}, which is "
            f"{query:g} and {train:g} a label)"
        )
    order = rng.permutation(len(labels))
    owner = np.full(len(labels), "", dtype="<U5")
    for label in range(labels.shape[1]):
        free = order[labels[order, label] & (owner[order] == "")]
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


def uniform(labels: np.ndarray, rng: np.random.Generator, validation: float = 0.1, test: float = 0.1) -> Parts:
    """Random shares of all items: by default 80 % train, 10 % validate, 10 % test."""
    order = rng.permutation(len(labels))
    cut = _count("test", test, len(labels))
    return {"test": order[:cut], **_validate(order[cut:], validation, len(labels))}


def stratified(labels: np.ndarray, rng: np.random.Generator, validation: float = 0.1, test: float = 0.1) -> Parts:
    """As ``uniform``, but with each part having its share of every label, as far as one label an item allows."""
    chosen, rest = systematic(by_rarest_label(labels, rng), _count("test", test, len(labels)), rng)
    held_out = _count("validation", validation, len(labels)) if validation else 0
    validating, training = systematic(rest, held_out, rng)
    return {"test": chosen, "validation": validating, "train": training}


def by_rarest_label(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Order items by their rarest label, randomly within one label."""
    frequency = labels.sum(axis=0, dtype=np.int64)
    # Ties between equally frequent labels go to the column, so that two such labels do not mix.
    rank = np.argsort(np.argsort(frequency, kind="stable"))
    rarest = np.where(labels > 0, rank, len(rank)).min(axis=1)
    shuffled = rng.permutation(len(labels))
    return shuffled[np.argsort(rarest[shuffled], kind="stable")]


def systematic(order: np.ndarray, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Take ``size`` items at equal steps from a random start; return the taken and the rest in order."""
    places = np.floor((np.arange(size) + rng.random()) * len(order) / max(size, 1)).astype(np.int64)
    taken = np.zeros(len(order), dtype=bool)
    taken[places] = True
    return order[taken], order[~taken]


def _validate(training: np.ndarray, validation: float, base: int | None = None) -> Parts:
    """Split validation items off the training part, which is in random order already."""
    cut = _count("validation", validation, base or len(training)) if validation else 0
    if cut >= len(training):
        raise ValueError(f"'validation' must leave some of {len(training)} training items (got {cut})")
    return {"validation": training[:cut], "train": training[cut:]}


def _count(name: str, size: float, total: int) -> int:
    """Items of a size: below 1 a share of the total, else their number."""
    count = round(size * total) if size < 1 else round(size)
    if not 1 <= count < total:
        raise ValueError(f"'{name}' must give 1 to {total - 1} of {total} items (got {size:g}, which is {count})")
    return count


SPLITS: dict[str, Callable[..., Any]] = {
    "test-vs-test": test_vs_test,
    "dcmh": dcmh,
    "agah": agah,
    "uniform": uniform,
    "stratified": stratified,
}


def hold_out(data: CrossModalData, share: float = 0.1, seed: int = 0) -> CrossModalData:
    """Move some items of the split ``train``, drawn at random, to a new split ``validation``.

    Every label keeps a training item: of each, the one that would be drawn last.

    Args:
        data: Data with a split ``train`` and none called ``validation``.
        share: Of the training items to hold out; at least one is.
        seed: Of the draw.

    Raises:
        ValueError: If the share is not between 0 and 1, a split is missing or there already, or every item is
            the one that its label keeps.

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
    labels = data.labels[order].flip(0)
    free = torch.ones(len(order), dtype=torch.bool)
    free[len(order) - 1 - labels.argmax(0)[labels.any(0)]] = False
    held_out = order[free][: max(1, round(share * len(train)))].sort().values
    if not len(held_out):
        raise ValueError(f"'data' must have training items whose labels others have too (got none of {len(train)})")
    kept = train[~torch.isin(train, held_out)]
    return data.with_splits({**data.splits, "train": kept, "validation": held_out})
