"""Features in a ``.npy`` file that grows batch by batch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labelgraph.features.encoder import Encoder, Features

FORMAT = 1


class FeatureFile:
    """A ``.npy`` file on its way: ``NAME.part`` until it is whole, and ``NAME.json`` that tells how far it is.

    Args:
        path: Of the file.
        encoder: Whose features these are.
        items: What they are of, as they are called.

    Attributes:
        done: How many rows an earlier run has written.
        failures: What it told of failures.

    Raises:
        ValueError: If there are features of other items or of another encoder in the file; an unfinished file of
            such is begun anew.
    """

    def __init__(self, path: Path, encoder: Encoder, items: Sequence[str]) -> None:
        self.path = path
        self._part = path.with_name(path.name + ".part")
        self._told = path.with_name(path.name + ".json")
        self._digest = digest(encoder, items)
        self._size = len(items)
        self.done, self.failures = self._earlier()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._rows = None if path.exists() else self._open(encoder.channels)

    def write(self, start: int, block: Features, failures: list[dict[str, Any]]) -> None:
        """Write the features of some items, then how far this is: in that order, a killed run has lost nothing."""
        if self._rows is None:
            raise ValueError(f"{self.path}: is whole already")
        self._rows[start : start + block.shape[0]] = block
        self._rows.flush()
        self._tell(start + block.shape[0], failures)

    def finish(self) -> np.ndarray:
        """Rename the file that is whole now, and give its rows, which are read as they are needed."""
        if self._rows is not None:
            self._rows = None
            self._part.replace(self.path)
        return np.load(self.path, mmap_mode="r", allow_pickle=False)

    def _open(self, channels: int) -> np.memmap:
        shape, mode = (self._size, channels), "r+" if self.done else "w+"
        if mode == "w+":
            self._told.unlink(missing_ok=True)
        return np.lib.format.open_memmap(self._part, mode, dtype=np.float32, shape=shape)

    def _earlier(self) -> tuple[int, list[dict[str, Any]]]:
        """How far an earlier run came with just these items, and its failures."""
        try:
            told = json.loads(self._told.read_text(encoding="utf-8"))
            same = told["format"] == FORMAT and told["digest"] == self._digest
            done, failures = int(told["done"]), list(told["failures"])
        except (OSError, ValueError, KeyError, TypeError):
            same, done, failures = False, 0, []
        if self.path.exists():
            if not same:
                raise ValueError(f"{self.path}: expected features of these items by this encoder (got other ones)")
            return self._size, failures
        return (done, failures) if same and self._part.exists() else (0, [])

    def _tell(self, done: int, failures: list[dict[str, Any]]) -> None:
        beside = self._told.with_name(self._told.name + ".part")
        told = {"format": FORMAT, "digest": self._digest, "done": done, "failures": failures}
        beside.write_text(json.dumps(told, indent=1), encoding="utf-8")
        beside.replace(self._told)


def digest(encoder: Encoder, items: Sequence[str]) -> str:
    """SHA-256 of the settings of an encoder and of what the items are called, in their order."""
    content = json.dumps([encoder.settings, list(items)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
