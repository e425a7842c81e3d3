"""A file of features that grows batch by batch, and that an interrupted run completes later."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from labelgraph._core.arrays import create_array, map_array
from labelgraph._core.digests import sha256_json
from labelgraph._core.files import open_partial
from labelgraph._core.json_files import read_json, write_json
from labelgraph._core.temporary import flush_folder, naming
from labelgraph.encoders.encoder import Encoder, Features

FORMAT = 2
LARGEST = 1 << 30  # Bytes of the file of progress, which lists failures.


class FeatureFile:
    """A ``.npy`` file: ``NAME.part`` until it is whole, and ``NAME.json``, which tells how many rows are written.

    Use it in a ``with``; while it is open, no other process can write it. The room of all rows is reserved first.

    Args:
        path: Of the file.
        encoder: Whose features these are.
        items: What they are of, as they are called.

    Attributes:
        done: How many rows an earlier run has written.
        failures: The failures of that run.

    Raises:
        ValueError: If there are features of other items or of another encoder in the file; an unfinished file of
            such is begun anew.
        OSError: If the disk is full, or another process is writing the file.
    """

    def __init__(self, path: Path, encoder: Encoder, items: Sequence[str]) -> None:
        self.path = path
        self._part = path.with_name(path.name + ".part")
        self._progress = path.with_name(path.name + ".json")
        self._digest = sha256_json([encoder.settings, list(items)])
        self._shape = (len(items), encoder.channels)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = None if path.exists() else open_partial(self._part)
        try:
            self.done, self.failures = self._earlier()
            self._start = self._prepare()
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, start: int, block: Features, failures: list[dict[str, Any]]) -> None:
        """Write the features of some items, then the progress: in that order, a killed run has lost nothing."""
        if self._file is None:
            raise ValueError(f"{self.path}: is whole already")
        rows = np.ascontiguousarray(block, np.float32)
        with naming(self._part):
            self._file.seek(self._start + start * self._shape[1] * rows.itemsize)
            self._file.write(rows.tobytes())
            self._file.flush()
            os.fsync(self._file.fileno())
        self._tell(start + len(rows), failures)

    def finish(self) -> np.ndarray:
        """Rename the file that is whole now, and map its rows, which are read as they are needed."""
        if self._file is not None and not self.path.exists():
            self._part.replace(self.path)
            flush_folder(self.path.parent)
        with self.path.open("rb") as file:
            rows = map_array(file, self.path)
        if rows.shape != self._shape or rows.dtype != np.float32:
            raise ValueError(f"{self.path}: expected float32 {self._shape} (got {rows.dtype} {rows.shape})")
        rows.flags.writeable = False
        return rows

    def _prepare(self) -> int:
        """Where the rows begin in the file, which is made anew unless an earlier run has got somewhere."""
        if self._file is None:
            return 0
        if self.done:
            try:
                rows = map_array(self._file, self._part)
                if rows.shape == self._shape and rows.dtype == np.float32:
                    return os.fstat(self._file.fileno()).st_size - rows.nbytes
            except ValueError:
                pass  # Damaged since.
        self.done, self.failures = 0, []
        self._progress.unlink(missing_ok=True)
        with naming(self._part):
            self._file.seek(0)
            self._file.truncate()
            try:
                create_array(self._file, self._shape, np.float32)
            except OSError:  # A full disk: nothing of use is left behind.
                self._part.unlink(missing_ok=True)
                raise
        return os.fstat(self._file.fileno()).st_size - int(np.prod(self._shape)) * np.dtype(np.float32).itemsize

    def _earlier(self) -> tuple[int, list[dict[str, Any]]]:
        """How many rows an earlier run has written for just these items, and its failures."""
        try:
            content = read_json(self._progress, LARGEST)
            same = content["format"] == FORMAT and content["digest"] == self._digest
            done, failures = int(content["done"]), [dict(each) for each in content["failures"]]
        except (OSError, ValueError, KeyError, TypeError):
            same, done, failures = False, 0, []
        if self.path.exists():
            if not same:
                raise ValueError(f"{self.path}: expected features of these items by this encoder (got other ones)")
            return self._shape[0], failures
        return (min(done, self._shape[0]), failures) if same else (0, [])

    def _tell(self, done: int, failures: list[dict[str, Any]]) -> None:
        content = {"format": FORMAT, "digest": self._digest, "done": done, "failures": failures}
        write_json(self._progress, content)
