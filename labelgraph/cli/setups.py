"""The evaluations of `labelgraph evaluate`: which items are queries, and which are the gallery."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from labelgraph._core.names import check_name, did_you_mean
from labelgraph.cli.training_folder import STATE
from labelgraph.data import CrossModalData
from labelgraph.data.splits.training_splits import fingerprint, training_splits
from labelgraph.methods import method_class
from labelgraph.metrics import PROTOCOLS

HELD_OUT, ALL = "validation", "all"


@dataclass(frozen=True)
class Setup:
    """An evaluation: which items are queries, and which are the gallery.

    Args:
        name: Name of the evaluation, such as ``validation-vs-validation``.
        protocol: Name of its protocol in ``PROTOCOLS``.
        data: Data with the splits of the protocol.
        description: Sentence that names the queries and the gallery.
    """

    name: str
    protocol: str
    data: CrossModalData
    description: str


def find_setups(
    data: CrossModalData, record: Mapping[str, Any], protocols: Sequence[str] | None, split: str | None
) -> list[Setup]:
    """Return the evaluations of the requested protocols or split.

    The default is every protocol that the data have splits for; if there is none, the validation split that the
    training held out.

    Args:
        data: Data to evaluate on.
        record: Record of the training, from `read_record`.
        protocols: Names of ``PROTOCOLS``.
        split: Split that is both the queries and the gallery, or ``all``.

    Raises:
        ValueError: If a name is unknown, or the data lack a split.
    """
    for name in protocols or ():
        check_name("--protocol", name, PROTOCOLS)
    available = [name for name, splits in PROTOCOLS.items() if set(splits) <= set(data.splits)]
    if split is None and (protocols or available):
        return [_protocol(name, data) for name in protocols or available]
    if split == ALL:
        return [_itself(ALL, data, torch.arange(len(data)))]
    if split in data.splits and split is not None and split != HELD_OUT:
        return [_itself(split, data, data.splits[split])]
    held_out = _held_out(data, record) if split in (None, HELD_OUT) else None
    if held_out is None:
        listed = ", ".join([*data.splits, ALL])
        near = did_you_mean(split, [*data.splits, ALL]) if split else "; the data have no splits of a protocol"
        raise ValueError(f"'--split' must be one of {listed} (got {split or 'none'}){near}")
    note = "; the best epoch was chosen on these items, so that the metrics are slightly too high"
    return [_itself(HELD_OUT, data, held_out, note)]


def read_record(model: str | Path) -> dict[str, Any]:
    """Return the content of ``training.json`` in a model folder.

    The dictionary is empty if the file cannot be read, or for a model on the Hub, which has no such file.
    """
    with suppress(OSError, ValueError, RecursionError):
        record = json.loads((Path(model) / STATE).read_bytes())
        if isinstance(record, dict):
            return record
    return {}


def _held_out(data: CrossModalData, record: Mapping[str, Any]) -> Tensor | None:
    """Return the validation split; if the training held it out, only for the data that the training read."""
    if HELD_OUT in data.splits:
        return data.splits[HELD_OUT]
    with suppress(KeyError, TypeError, ValueError):
        again, drawn = training_splits(data, HELD_OUT, record["seed"], method_class(record["method"]).reads_labels)
        if drawn and record["held_out"] and fingerprint(again) == record["data"]["sha256"]:
            return again.splits[HELD_OUT]
    return None


def _protocol(name: str, data: CrossModalData) -> Setup:
    query, database = PROTOCOLS[name]
    for split in (query, database):
        if split not in data.splits:
            listed = ", ".join([*data.splits, ALL])
            raise ValueError(f"{name!r} needs the split {split!r} (got {listed}); --split NAME measures another")
    if query == database:
        return _itself(query, data, data.splits[query])
    sizes = len(data.splits[query]), len(data.splits[database])
    description = f"the {sizes[0]:,} items of {query!r} are the queries, the {sizes[1]:,} of {database!r} the gallery"
    return Setup(name, name, data, description)


def _itself(split: str, data: CrossModalData, rows: Tensor, note: str = "") -> Setup:
    """Return the evaluation with one split as queries and gallery, as in test-vs-test."""
    protocol, splits = next(iter(PROTOCOLS.items()))
    pairs = data.with_splits(dict.fromkeys(splits, rows))
    description = f"the {len(rows):,} items of {split!r} are the queries and the gallery{note}"
    return Setup(f"{split}-vs-{split}", protocol, pairs, description)
