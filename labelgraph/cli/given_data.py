"""The data that a command is given, by name or path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from labelgraph._core.names import check_name, did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

    from labelgraph.data import CrossModalData

# In words, and what is heavy within functions: help is quick then.
DATA_HELP = "openclipart, the bundled set, or path of a data file or folder"


def load(name: str) -> CrossModalData:
    """Load data as `load_dataset` does; where there are none of that name, tell the nearest.

    Raises:
        ValueError: If the name is unknown or the file damaged.
        FileNotFoundError: If there is no such file.
    """
    from labelgraph.data import DATASETS, load_dataset

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
    import torch

    if split is None:
        return torch.arange(len(data))
    check_name("--split", split, data.splits)
    return data.rows(split)


def searched_split(data: CrossModalData) -> str | None:
    """The split that is searched in by default: ``database`` where there is one, or else all items."""
    return "database" if "database" in data.splits else None


def _siblings(path: Path) -> list[str]:
    """The files beside a path, written as it is."""
    try:
        return [str(path.parent / each.name) for each in path.parent.iterdir() if each.is_file()]
    except OSError:
        return []
