"""The folder of an unfinished training, beside the folder of its model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelgraph._core.held_folder import LOCK, held
from labelgraph._core.json_files import read_json, write_json
from labelgraph._core.temporary import remove_stale

STATE = "training.json"
STAGES = ("train", "stage2")


@dataclass(frozen=True)
class TrainingFolder:
    """``MODEL.training/``: ``training.json`` with the settings and data, one folder per stage, and ``lock``.

    A folder without ``training.json`` remains if a finished training is killed while it deletes the folder.
    """

    path: Path

    @classmethod
    def beside(cls, model: Path) -> TrainingFolder:
        """Return the training folder of a model."""
        place = model.absolute()
        if not place.name:
            raise ValueError(f"'--out' must be a folder with a name (got {model})")
        return cls(place.with_name(place.name + ".training"))

    @property
    def logs(self) -> Path:
        """The folder for the files of a logger, ``MODEL.logs``, which remains after the training."""
        return self.path.with_suffix(".logs")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the folder against other processes; create it first, and delete it afterwards if nothing was trained.

        Raises:
            ValueError: If another process holds the lock.
        """
        with held(self.path, "training"):
            try:
                yield
            finally:
                if not any((self.path / stage).exists() for stage in STAGES):
                    (self.path / STATE).unlink(missing_ok=True)  # There is no checkpoint to resume from.
        with suppress(OSError):
            self.path.rmdir()

    def begin(self, about: Mapping[str, Any], restart: bool) -> bool:
        """Start a training in the folder, or resume the unfinished one.

        Args:
            about: Everything that the weights depend on: method, settings, seed and data.
            restart: Delete the unfinished training.

        Returns:
            Whether an unfinished training is resumed.

        Raises:
            ValueError: If `about` differs from the unfinished training, or the folder holds other files.
        """
        record = self._read()
        if record is not None and not restart:
            self._compare(record, about)
            return True
        self.delete()
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(self.path / STATE, about)
        return False

    def delete(self) -> None:
        """Delete the content of the folder except its lock, ``training.json`` first.

        Raises:
            ValueError: If the folder holds files that are not of a training.
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

    def _compare(self, record: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        before, now = _flat(record), _flat(json.loads(json.dumps(about)))
        differing = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        if not differing:
            return
        differences = [
            name if name.startswith("data.") else f"{name} ({before.get(name)}, now {now.get(name)})"
            for name in differing
        ]
        more = f", and {len(differences) - 5} more" if len(differences) > 5 else ""
        raise ValueError(
            f"{self.path}: the unfinished training in this folder differs in {', '.join(differences[:5])}{more}; "
            "give the same options and data to resume it, or --restart to start again"
        )


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the entries by dotted name."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat
