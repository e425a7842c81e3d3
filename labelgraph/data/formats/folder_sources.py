"""Folders of ``.npy`` files open for reading: those that the library wrote as versions, and those written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from labelgraph._core.arrays import map_array
from labelgraph._core.json_files import read_json
from labelgraph._core.manifest import FolderFormat
from labelgraph._core.reading import one_line, quoted
from labelgraph._core.versions import open_version

SETTINGS, SPLITS, NAMES = "data.json", "splits", "names.json"
KIND = FolderFormat(SETTINGS, "labelgraph folder", 2)
WRITTEN_BY_HAND = 1  # Version of a folder without a manifest.
KINDS = {"biuf": "numbers", "biufU": "numbers or texts"}


def read_npy(path: Path, kinds: str = "biuf") -> np.ndarray:
    """Map a ``.npy`` file: nothing is read yet, and changes stay in memory.

    Args:
        path: The file.
        kinds: Of types that are expected: those of numbers, ``"U"`` for texts.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, of another size than its header declares, or of another kind.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such .npy file")
    with path.open("rb") as file:
        return _checked(map_array(file, path), path, kinds)


def _checked(array: np.ndarray, path: Path, kinds: str = "biuf") -> np.ndarray:
    if array.dtype.kind not in kinds:
        raise ValueError(f"{path}: expected an array of {KINDS[kinds]} (got {one_line(array.dtype)})")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


class OpenFolder:
    """Arrays and settings of a folder, whoever wrote it."""

    def __init__(self, path: Path, settings: Any, where: Path) -> None:
        self.path, self.where = path, where
        self.settings: dict[str, Any] = {"label_names": [], "ids": [], "titles": [], "encoders": {}, **settings}
        for key in ("label_names", "ids", "titles"):
            value = self.settings[key]
            if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
                raise ValueError(f"{where}: '{key}' must be a list of texts (got {quoted(value, 80)})")

    def has(self, name: str) -> bool:
        """Whether there is an array of this name."""
        return self.file(name).exists()

    def file(self, name: str) -> Path:
        """The file of an array, to be told in errors."""
        raise NotImplementedError

    def split_names(self) -> list[str]:
        """The names of the splits, whose arrays are called ``splits/NAME``."""
        raise NotImplementedError

    def array(self, name: str) -> np.ndarray:
        """An array of numbers."""
        raise NotImplementedError


class _ByHand(OpenFolder):
    """A folder that another program wrote, with plain names."""

    def __init__(self, path: Path, settings: dict[str, Any], memory_map: bool) -> None:
        super().__init__(path, settings, path / SETTINGS)
        self._memory_map = memory_map

    def file(self, name: str) -> Path:
        return self._splits().get(name) or self.path / f"{name}.npy"

    def _splits(self) -> dict[str, Path]:
        return {f"{SPLITS}/{unquote(file.stem)}": file for file in sorted((self.path / SPLITS).glob("*.npy"))}

    def split_names(self) -> list[str]:
        return [name.removeprefix(f"{SPLITS}/") for name in self._splits()]

    def array(self, name: str) -> np.ndarray:
        array = read_npy(self.file(name))  # Mapped first: its size is compared with the file before it is read.
        return array if self._memory_map else np.array(array)


class _Written(OpenFolder):
    """A version that `folder_writer` wrote, all of whose files are open."""

    def __init__(self, path: Path, version: Any, memory_map: bool) -> None:
        names = version.json(NAMES)
        if not isinstance(names, dict):
            raise ValueError(f"{version.path(NAMES)}: expected an object (got {quoted(names, 80)})")
        super().__init__(path, {**names, **version.entries}, path / SETTINGS)
        self._version, self._memory_map = version, memory_map

    def has(self, name: str) -> bool:
        return f"{name}.npy" in self._version.files

    def file(self, name: str) -> Path:
        where: Path = self._version.path(f"{name}.npy")
        return where

    def split_names(self) -> list[str]:
        start, end = f"{SPLITS}/", ".npy"
        return sorted(name[len(start) : -len(end)] for name in self._version.files if name.startswith(start))

    def array(self, name: str) -> np.ndarray:
        file = self.file(name)
        if not self._memory_map:
            self._version.verify(f"{name}.npy")
        array = _checked(self._version.array(f"{name}.npy"), file)
        return array if self._memory_map else np.array(array)


@contextmanager
def open_folder(path: Path, memory_map: bool) -> Iterator[OpenFolder]:
    """Open a folder for reading.

    Args:
        path: The folder.
        memory_map: Map arrays; otherwise they are read, and checksums compared.

    Raises:
        FileNotFoundError: If the folder or a file is missing.
        ValueError: If a file is damaged; the message names it.
    """
    file = path / SETTINGS
    settings = read_json(file)
    if isinstance(settings, dict) and settings.get("version", WRITTEN_BY_HAND) == WRITTEN_BY_HAND:
        yield _ByHand(path, settings, memory_map)
    elif isinstance(settings, dict) and settings.get("format") == KIND.name and settings.get("version") == KIND.version:
        with open_version(path, KIND) as version:
            yield _Written(path, version, memory_map)
    else:
        raise ValueError(f"{file}: expected an object of version {WRITTEN_BY_HAND} or 2 (got {quoted(settings, 80)})")
