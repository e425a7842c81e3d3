"""The start of a run: its folder is new, and no other process works in it."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from labelgraph._core.held_folder import LOCK, held
from labelgraph._core.json_files import read_json
from labelgraph._core.signals import advising
from labelgraph._core.temporary import TEMPORARY_NAME, remove_stale
from labelgraph.methods.registry import METHODS

ENVIRONMENT, SETTINGS = "environment.json", "config.yaml"  # A new run writes its settings last.
COMPARISON = "comparison.yaml"  # The settings of a run of several methods, each of which has a run folder within.
FACTORS_FILE = "ablation.txt"


@contextmanager
def working(options: argparse.Namespace, dataset: str, what: str) -> Iterator[Path]:
    """Choose the folder of a new or a resumed run, and keep other processes out of it.

    Args:
        options: ``resume`` and ``out`` of the command line.
        dataset: Name or path of the data, for the name of a new folder in ``runs`` if there is neither.
        what: Rest of this name; the time is added.

    Raises:
        ValueError: If another process works in the folder.
    """
    path = options.resume or options.out or Path("runs") / f"{Path(dataset).stem}-{what}-{datetime.now():%Y%m%d-%H%M%S}"
    above = path.resolve().parent
    with ExitStack() as stack:
        if (above / COMPARISON).is_file():  # Which may be at work on this method.
            stack.enter_context(held(above, "working"))
        if path.is_dir() or not options.resume:
            stack.enter_context(held(path, "working"))
        stack.enter_context(advising(f"resume the run with --resume {path}"))
        yield path


def make_new(path: Path) -> None:
    """Create a folder; an empty one is used as it is, and one of a run that was killed before it started is emptied.

    Raises:
        ValueError: If the folder has other files.
    """
    path.mkdir(parents=True, exist_ok=True)
    remove_stale(path, again=True)
    left = [entry for entry in path.iterdir() if entry.name != LOCK]
    if left and not _is_start(path):
        raise ValueError(
            f"'--out' must be a new or an empty folder (got {path}); --resume continues an interrupted run"
        )
    for entry in left:
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _is_start(path: Path) -> bool:
    """Whether a folder has nothing but files that a run, an ablation or a comparison writes before its settings."""
    entries = [entry for entry in path.rglob("*") if not TEMPORARY_NAME.fullmatch(entry.name)]
    files = {entry.relative_to(path).as_posix() for entry in entries if entry.is_symlink() or not entry.is_dir()}
    known = {LOCK, ENVIRONMENT, FACTORS_FILE}
    known |= {f"{method}/{name}" for method in METHODS for name in (ENVIRONMENT, SETTINGS)}
    with suppress(OSError, ValueError):
        content = read_json(path / ENVIRONMENT)
        return files <= known and isinstance(content, dict) and "labelgraph" in content
    return False
