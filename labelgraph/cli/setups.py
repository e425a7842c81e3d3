"""Evaluations of `labelgraph evaluate`: which items search which."""

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
    """An evaluation: which items search which.

    Args:
        name: What it is called.
        protocol: By which it is measured.
        data: With the splits of the protocol.
        told: In words.
    """

    name: str
    protocol: str
    data: CrossModalData
    told: str


def find_setups(
    data: CrossModalData, made: Mapping[str, Any], protocols: Sequence[str] | None, split: str | None
) -> list[Setup]:
    """The protocols or the split asked for; or all protocols that the data have splits for; or what was held out.

    Args:
        data: To measure on.
        made: What `read_made` gave.
        protocols: Names of ``PROTOCOLS``.
        split: A split that searches itself, or ``all``.

    Raises:
        ValueError: If a name is unknown, or the data lack a split.
    """
    for name in protocols or ():
        check_name("--protocol", name, PROTOCOLS)
    there = [name for name, splits in PROTOCOLS.items() if set(splits) <= set(data.splits)]
    if split is None and (protocols or there):
        return [_protocol(name, data) for name in protocols or there]
    if split == ALL:
        return [_itself(ALL, data, torch.arange(len(data)))]
    if split in data.splits and split is not None and split != HELD_OUT:
        return [_itself(split, data, data.splits[split])]
    held_out = _held_out(data, made) if split in (None, HELD_OUT) else None
    if held_out is None:
        listed = ", ".join([*data.splits, ALL])
        near = did_you_mean(split, [*data.splits, ALL]) if split else "; the data have no splits of a protocol"
        raise ValueError(f"'--split' must be one of {listed} (got {split or 'none'}){near}")
    told = "; the best epoch was chosen on these items, so that the figures are slightly too high"
    return [_itself(HELD_OUT, data, held_out, told)]


def read_made(model: Path) -> dict[str, Any]:
    """What ``training.json`` beside a model tells; nothing where it is missing or cannot be read."""
    with suppress(OSError, ValueError, RecursionError):
        made = json.loads((model / STATE).read_bytes())
        if isinstance(made, dict):
            return made
    return {}


def _held_out(data: CrossModalData, made: Mapping[str, Any]) -> Tensor | None:
    """The items to choose the best epoch on; those that the training drew, if these are the data it read."""
    if HELD_OUT in data.splits:
        return data.splits[HELD_OUT]
    with suppress(KeyError, TypeError, ValueError):
        again, drawn = training_splits(data, HELD_OUT, made["seed"], method_class(made["method"]).reads_labels)
        if drawn and made["held_out"] and fingerprint(again) == made["data"]["sha256"]:
            return again.splits[HELD_OUT]
    return None


def _protocol(name: str, data: CrossModalData) -> Setup:
    query, database = PROTOCOLS[name]
    for split in (query, database):
        if split not in data.splits:
            listed = ", ".join([*data.splits, ALL])
            raise ValueError(f"{name!r} needs the split {split!r} (got {listed}); --split NAME measures another")
    found = "themselves" if query == database else f"the {len(data.splits[database]):,} of {database!r}"
    return Setup(name, name, data, f"the {len(data.splits[query]):,} items of {query!r} search {found}")


def _itself(split: str, data: CrossModalData, rows: Tensor, told: str = "") -> Setup:
    """Some items that search themselves, as the test set does."""
    protocol, splits = next(iter(PROTOCOLS.items()))
    pairs = data.with_splits(dict.fromkeys(splits, rows))
    return Setup(
        f"{split}-vs-{split}", protocol, pairs, f"the {len(rows):,} items of {split!r} search themselves{told}"
    )
