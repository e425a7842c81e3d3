"""A file of features that is written batch by batch, so that an interrupted run can resume."""

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
LARGEST = 1 << 30  # Largest progress file in bytes; it lists the failures.


class FeatureFile:
    """A ``.npy`` file, called ``NAME.part`` until it is complete; ``NAME.json`` holds the number of rows written.

    Use it in a ``with`` statement. While it is open, no other process can write it. Space for all rows is
    reserved first.

    Args:
        path: The file.
        encoder: Encoder of the features.
        items: Names of the items.

    Attributes:
        done: Number of rows that an earlier run wrote.
        failures: Failures of the earlier run.

    Raises:
        ValueError: If the file holds features of other items or of another encoder. An unfinished file of this kind
            is overwritten.
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
        """Write the features of some items, then the progress; in this order, an interrupted run can resume."""
        if self._file is None:
            raise ValueError(f"{self.path}: the file is already complete")
        rows = np.ascontiguousarray(block, np.float32)
        with naming(self._part):
            self._file.seek(self._start + start * self._shape[1] * rows.itemsize)
            self._file.write(rows.tobytes())
            self._file.flush()
            os.fsync(self._file.fileno())
        self._write_progress(start + len(rows), failures)

    def finish(self) -> np.ndarray:
        """Rename the complete file, and memory-map its rows."""
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
        """Position of the first row in the file; creates the file unless an earlier run wrote rows."""
        if self._file is None:
            return 0
        if self.done:
            try:
                rows = map_array(self._file, self._part)
                if rows.shape == self._shape and rows.dtype == np.float32:
                    return os.fstat(self._file.fileno()).st_size - rows.nbytes
            except ValueError:
                pass  # The file was damaged: start again.
        self.done, self.failures = 0, []
        self._progress.unlink(missing_ok=True)
        with naming(self._part):
            self._file.seek(0)
            self._file.truncate()
            try:
                create_array(self._file, self._shape, np.float32)
            except OSError:  # The disk is full: leave no useless file.
                self._part.unlink(missing_ok=True)
                raise
        return os.fstat(self._file.fileno()).st_size - int(np.prod(self._shape)) * np.dtype(np.float32).itemsize

    def _earlier(self) -> tuple[int, list[dict[str, Any]]]:
        """Number of rows that an earlier run wrote for the same items and encoder, and its failures."""
        try:
            content = read_json(self._progress, LARGEST)
            same = content["format"] == FORMAT and content["digest"] == self._digest
            done, failures = int(content["done"]), [dict(failure) for failure in content["failures"]]
        except (OSError, ValueError, KeyError, TypeError):
            same, done, failures = False, 0, []
        if self.path.exists():
            if not same:
                raise ValueError(f"{self.path}: expected features of these items by this encoder (got other ones)")
            return self._shape[0], failures
        return (min(done, self._shape[0]), failures) if same else (0, [])

    def _write_progress(self, done: int, failures: list[dict[str, Any]]) -> None:
        content = {"format": FORMAT, "digest": self._digest, "done": done, "failures": failures}
        write_json(self._progress, content)
