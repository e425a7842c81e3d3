"""An unfinished training on disk, beside the model that it makes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from labelgraph._core.json_files import read_json, write_json
from labelgraph._core.temporary import remove_stale

STATE, LOCK = "training.json", "lock"
STAGES = ("train", "stage2")


@dataclass(frozen=True)
class TrainingFolder:
    """``MODEL.training/``: ``training.json``, which tells what is trained, a folder for each stage, and ``lock``.

    A folder without ``training.json`` is what a finished training left when it was killed while tidying up.
    """

    path: Path

    @classmethod
    def beside(cls, model: Path) -> TrainingFolder:
        """The folder of the training that makes a model."""
        place = model.absolute()
        if not place.name:
            raise ValueError(f"'--out' must be a folder with a name (got {model})")
        return cls(place.with_name(place.name + ".training"))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out of the folder, which is made if it is not there, and goes if nothing was trained.

        ``lock`` holds the number of the process. The system lets go of it when that ends, however it ends.

        Raises:
            ValueError: If another process is in it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        path = self.path / LOCK
        lock = FileLock(path, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            process = path.read_text(encoding="utf-8", errors="replace") or "unknown"
            raise ValueError(
                f"{self.path}: a training of process {process} is at work there; wait for it, or give another --out"
            ) from None
        try:
            path.write_text(str(os.getpid()), encoding="utf-8")
            yield
        finally:
            if not any((self.path / stage).exists() for stage in STAGES):
                (self.path / STATE).unlink(missing_ok=True)  # Nothing to go on with, so that nothing needs to fit.
            with suppress(OSError):  # Windows does not unlink what is open.
                path.unlink(missing_ok=True)
            lock.release()
            with suppress(OSError):
                self.path.rmdir()

    def begin(self, about: Mapping[str, Any], restart: bool) -> bool:
        """Make the folder, or go on with it; tell which, true for going on.

        Args:
            about: All that the weights depend on.
            restart: Delete what an unfinished training left.

        Raises:
            ValueError: If the unfinished training is about something else, or the folder is of something else.
        """
        kept = self._read()
        if kept is not None and not restart:
            self._compare(kept, about)
            return True
        self.delete()
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(self.path / STATE, about)
        return False

    def delete(self) -> None:
        """Delete what is in the folder but its lock, first the file that says that there is something to go on with.

        Raises:
            ValueError: If it holds what is no training.
        """
        if not self.path.exists():
            return
        names = {STATE, LOCK, *STAGES}
        remove_stale(self.path, again=True)
        foreign = sorted({path.name for path in self.path.iterdir()} - names)
        if foreign:
            raise ValueError(
                f"{self.path}: expected an unfinished training (got {', '.join(foreign[:3])}); move it away"
            )
        (self.path / STATE).unlink(missing_ok=True)
        for stage in STAGES:
            if (self.path / stage).exists():
                shutil.rmtree(self.path / stage)

    def _read(self) -> dict[str, Any] | None:
        path = self.path / STATE
        if not path.is_file():
            return None
        with suppress(ValueError):
            content = read_json(path)
            if isinstance(content, dict):
                return content
        return {}

    def _compare(self, kept: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        before, now = _flat(kept), _flat(json.loads(json.dumps(about)))
        differing = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        if not differing:
            return
        told = [
            name if name.startswith("data.") else f"{name} ({before.get(name)}, now {now.get(name)})"
            for name in differing
        ]
        more = f", and {len(told) - 5} more" if len(told) > 5 else ""
        raise ValueError(
            f"{self.path}: the unfinished training there differs in {', '.join(told[:5])}{more}; "
            "give the same options and data to resume it, or --restart to start again"
        )


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Entries by dotted name."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat
