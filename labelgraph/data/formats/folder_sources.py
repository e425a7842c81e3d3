"""Access to folders of ``.npy`` files, written by this library or by another program."""

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
    """Memory-map a ``.npy`` file; changes to the array are not written to the file.

    Args:
        path: The file.
        kinds: Accepted kinds of NumPy types, a key of ``KINDS``; ``"U"`` stands for texts.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, its size differs from the header, or its type is of another kind.
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
    """Arrays and settings of an open folder, written by this library or by another program."""

    def __init__(self, path: Path, settings: Any, where: Path) -> None:
        self.path, self.where = path, where
        self.settings: dict[str, Any] = {"label_names": [], "ids": [], "titles": [], "encoders": {}, **settings}
        for key in ("label_names", "ids", "titles"):
            value = self.settings[key]
            if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
                raise ValueError(f"{where}: '{key}' must be a list of texts (got {quoted(value, 80)})")

    def has(self, name: str) -> bool:
        """Whether the folder has an array of this name."""
        return self.file(name).exists()

    def file(self, name: str) -> Path:
        """Path of an array, for error messages."""
        raise NotImplementedError

    def split_names(self) -> list[str]:
        """Names of the splits; their arrays are called ``splits/NAME``."""
        raise NotImplementedError

    def array(self, name: str) -> np.ndarray:
        """Read or map an array of numbers."""
        raise NotImplementedError


class _ByHand(OpenFolder):
    """A folder that another program wrote, with plain file names."""

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
        array = read_npy(self.file(name))  # Mapping checks the size against the file before memory is allocated.
        return array if self._memory_map else np.array(array)


class _Written(OpenFolder):
    """A version that `folder_writer` wrote; all its files are open."""

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
        memory_map: Memory-map the arrays; otherwise, read them and verify their checksums.

    Raises:
        FileNotFoundError: If the folder or a file is missing.
        ValueError: If a file is damaged; the message names the file.
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
