"""An unfinished training on disk, beside the model that it makes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelgraph.data.writing import PART, replace_file

STATE = "training.json"
STAGES = ("train", "stage2")


@dataclass(frozen=True)
class TrainingFolder:
    """``MODEL.training/``: ``training.json``, which tells what is trained, and a folder for each stage.

    A folder without ``training.json`` is what a finished training left when it was killed while tidying up.
    """

    path: Path

    @classmethod
    def beside(cls, model: Path) -> TrainingFolder:
        """The folder of the training that makes a model."""
        place = model.absolute()
        return cls(place.with_name(place.name + ".training"))

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
        self.path.mkdir(parents=True)
        replace_file(self.path / STATE, json.dumps(about, indent=1).encode())
        return False

    def delete(self) -> None:
        """Delete the folder, first the file that says that there is something to go on with.

        Raises:
            ValueError: If it holds what is no training.
        """
        if not self.path.exists():
            return
        names = {STATE, STATE + PART, *STAGES}
        foreign = sorted(path.name for path in self.path.iterdir() if path.name not in names)
        if foreign:
            raise ValueError(
                f"{self.path}: expected an unfinished training (got {', '.join(foreign[:3])}); move it away"
            )
        (self.path / STATE).unlink(missing_ok=True)
        shutil.rmtree(self.path)

    def _read(self) -> dict[str, Any] | None:
        path = self.path / STATE
        if not path.is_file():
            return None
        with suppress(ValueError, RecursionError):
            kept = json.loads(path.read_bytes())
            if isinstance(kept, dict):
                return kept
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
            "give what it was begun with to go on, or --restart to begin anew"
        )


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Entries by dotted name."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat
