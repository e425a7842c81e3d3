"""The data that a command is given, by name or path, and its splits."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from labelgraph.cli.names import check_name, did_you_mean
from labelgraph.data import DATASETS, CrossModalData, load_dataset

DATA_HELP = f"name of a bundled set ({', '.join(DATASETS)}) or path of a data file"


def load(name: str) -> CrossModalData:
    """Load data as `load_dataset` does; where there are none of that name, tell the nearest.

    Raises:
        ValueError: If the name is unknown or the file damaged.
        FileNotFoundError: If there is no such file.
    """
    try:
        return load_dataset(name)
    except (ValueError, FileNotFoundError) as error:
        path = Path(name)
        if path.exists() or not (near := did_you_mean(name, [*DATASETS, *_siblings(path)])):
            raise
        raise type(error)(f"{error}{near}") from error


def chosen_rows(data: CrossModalData, split: str | None) -> Tensor:
    """The row numbers of one split, or of all items for none.

    Raises:
        ValueError: If there is no such split.
    """
    if split is None:
        return torch.arange(len(data))
    check_name("--split", split, data.splits)
    return data.rows(split)


def _siblings(path: Path) -> list[str]:
    """The files beside a path, written as it is."""
    try:
        return [str(path.parent / each.name) for each in path.parent.iterdir() if each.is_file()]
    except OSError:
        return []
