"""Data sets by name, and whether there is one of a name or path; read without PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from labelgraph._core.lazy import LazyTable
from labelgraph._core.names import did_you_mean

if TYPE_CHECKING:
    from labelgraph.data.pairs import CrossModalData

DATASETS: LazyTable[Callable[[], CrossModalData]] = LazyTable({"openclipart": "labelgraph.data.load:load_openclipart"})


def check_dataset(name: str | Path) -> None:
    """Check that a name or path leads to data, without reading them.

    Raises:
        ValueError: If it looks like a name and is unknown.
        FileNotFoundError: If there is nothing at the path. Both errors name the nearest known name.
    """
    path = Path(name)
    if name in DATASETS or path.exists():
        return
    near = did_you_mean(str(name), [*DATASETS, *_siblings(path)])
    if len(path.parts) == 1 and not path.suffix:
        raise ValueError(
            f"'dataset' must be one of {sorted(DATASETS)} or the path of a data set (got {str(name)!r}){near}"
        )
    raise FileNotFoundError(f"{path}: no such file or folder{near}")


def _siblings(path: Path) -> list[str]:
    """The files and folders beside a path, written as it is."""
    try:
        return [str(path.parent / each.name) for each in path.parent.iterdir()]
    except OSError:
        return []
