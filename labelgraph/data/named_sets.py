"""Named data sets, and a check of names and paths that does not import PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from labelgraph._core.argument_kinds import as_path
from labelgraph._core.lazy import LazyTable
from labelgraph._core.names import did_you_mean

if TYPE_CHECKING:
    from labelgraph.data.pairs import CrossModalData

DATASETS: LazyTable[Callable[[], CrossModalData]] = LazyTable(
    {
        "openclipart": "labelgraph.data.load:load_openclipart",
        "openclipart-keywords": "labelgraph.data.load:load_openclipart_keywords",
    }
)


def check_dataset(name: str | Path) -> None:
    """Check that a data set of this name or path exists, without reading it.

    Raises:
        ValueError: If ``name`` is an unknown name.
        FileNotFoundError: If ``name`` is a path that does not exist. Both messages suggest the nearest known name.
    """
    path = as_path("name", name)
    if name in DATASETS or path.exists():
        return
    near = did_you_mean(str(name), [*DATASETS, *_siblings(path)])
    if len(path.parts) == 1 and not path.suffix:
        raise ValueError(
            f"'dataset' must be one of {sorted(DATASETS)} or the path of a data set (got {str(name)!r}){near}"
        )
    raise FileNotFoundError(f"{path}: no such file or folder{near}")


def _siblings(path: Path) -> list[str]:
    """Files and folders in the same folder as a path, in the same notation."""
    try:
        return [str(path.parent / sibling.name) for sibling in path.parent.iterdir()]
    except OSError:
        return []
