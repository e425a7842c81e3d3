"""Splits for training, and fingerprints that tell whether a data set has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from labelgraph._core.multi_hot import item_sums, label_bytes
from labelgraph.data.pairs import CrossModalData
from labelgraph.data.splits.split_names import NAMES
from labelgraph.data.splits.strategies import hold_out

HELD_OUT = 0.1
MOST_HELD_OUT = 10_000  # Each held-out item is a query against all held-out items after every epoch.
EVALUATED = ("validation", "test", "query")  # Splits that are never trained on.


def training_splits(data: CrossModalData, select: str, seed: int, reads_labels: bool) -> tuple[CrossModalData, bool]:
    """Add the splits for training that the data do not have.

    If there is no split ``train``, all items outside the evaluation splits become training items; for a method that
    reads labels, only items with a label. In this case, split names that the library does not know are an error,
    because their items may be for evaluation. If the best epoch is chosen on ``validation`` and this split is missing,
    a tenth of ``train`` is held out, at most 10,000 items.

    Returns:
        The data, and whether items were held out.

    Raises:
        ValueError: If there is no split ``train`` but a split with an unknown name, if no training item is left, or if
            no item can be held out.
    """
    if "train" not in data.splits:
        if own := [name for name in data.splits if name not in NAMES]:
            known = ", ".join(NAMES)
            raise ValueError(
                f"the splits must be called {known}, 'train' among them (got {', '.join(own)}); rename them"
            )
        rest = torch.ones(len(data), dtype=torch.bool)
        rest[
            torch.cat([torch.zeros(0, dtype=torch.long), *(data.splits[n] for n in EVALUATED if n in data.splits)])
        ] = 0
        if reads_labels:
            rest &= item_sums(data.labels) > 0
        if not rest.any():
            raise ValueError("the data must have items with labels outside the splits for evaluation (got none)")
        data = data.with_splits({**data.splits, "train": rest.nonzero().flatten()})
    if select != "validation" or "validation" in data.splits:
        return data, False
    try:
        return hold_out(data, held_out_share(len(data.splits["train"])), seed), True
    except ValueError as error:
        raise ValueError(f"{error}; --select last holds out no items") from error


def held_out_share(num_items: int) -> float:
    """Share of the training items to hold out."""
    return min(HELD_OUT, MOST_HELD_OUT / num_items)


def describe_splits(before: CrossModalData, data: CrossModalData, held_out: bool, seed: int) -> Iterable[str]:
    """Sentences that describe the splits that `training_splits` added."""
    if "train" not in before.splits:
        size = len(data.splits["train"]) + (len(data.splits["validation"]) if held_out else 0)
        yield f"no split 'train' in the data: training on {size:,} of {len(data):,} items"
    if held_out:
        yield (
            f"no split 'validation' in the data: {len(data.splits['validation']):,} random training items "
            f"(seed {seed}) are held out to choose the best epoch"
        )


def fingerprint(data: CrossModalData) -> dict[str, str]:
    """SHA-256 of each part of the data that training reads."""
    parts: dict[str, list[np.ndarray]] = {
        "image": [data.image.cpu().numpy()],
        "text": _csr_parts(data.text) if sp.issparse(data.text) else [data.text_rows().cpu().numpy()],
        "labels": label_bytes(data.labels),
        "label_names": [_bytes(data.label_names)],
        "present": [data.present.cpu().numpy()],
        "encoders": [_bytes(data.encoders)],
        **{name: [data.splits[name].numpy()] for name in ("train", "validation", "test") if name in data.splits},
    }
    return {name: digest(arrays) for name, arrays in parts.items()}


def _csr_parts(matrix: Any) -> list[np.ndarray]:
    return [matrix.data, matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64)]


def _bytes(content: Any) -> np.ndarray:
    return np.frombuffer(json.dumps(content, sort_keys=True).encode(), np.uint8)


def digest(arrays: list[np.ndarray]) -> str:
    """SHA-256 of arrays, including their types and shapes."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
