"""Writing a version of a folder, see `manifest`.

The files are written under temporary names and flushed. Then, under the lock of the folder, they take their names, the
manifest that names them replaces the one before, and the files of the version before are deleted. Two processes that
write to one folder leave one of the two versions, whole.

Files that belong to others are left alone: only files are deleted that the manifest before named, or whose name holds
the start of their own SHA-256.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from labelgraph._core.arrays import create_array
from labelgraph._core.digests import sha256_file
from labelgraph._core.json_files import LIMIT, parse_json
from labelgraph._core.manifest import FILE_NAME, FileEntry, FolderFormat, Manifest, open_regular, read_manifest
from labelgraph._core.temporary import NO_LINK, SUFFIX, Temporary, flush_folder, naming, remove_stale

if TYPE_CHECKING:
    import numpy as np

LOCK = ".lock"
WAIT = 600.0  # Seconds for which another process may put its version in place, and delete the one before.


class FolderWriter:
    """Collects the files of a version.

    Attributes:
        entries: JSON values by name, which can be changed until the end of the ``with``.
    """

    def __init__(self, folder: Path, entries: dict[str, Any], parts: _Parts, start: str = "") -> None:
        self.folder, self.entries, self._parts, self._start = folder, entries, parts, start

    @property
    def files(self) -> dict[str, FileEntry]:
        """The files by name, complete once the version is in place."""
        described = self._parts.files.items()
        return {name.removeprefix(self._start): file for name, file in described if name.startswith(self._start)}

    def section(self, name: str) -> FolderWriter:
        """A part of the version with entries and names of its own, such as the model in a search index."""
        return FolderWriter(self.folder, self.entries.setdefault(name, {}), self._parts, f"{self._start}{name}/")

    def write(self, name: str, content: bytes) -> None:
        """Add a file."""
        self.open(name).write(content)

    def open(self, name: str) -> BinaryIO:
        """Add a file, and give it open for reading and writing; it is closed at the end of the ``with``."""
        copy = os.dup(self._add(name).claim.fileno())
        return self._parts.opened.enter_context(os.fdopen(copy, "w+b"))

    def path(self, name: str) -> Path:
        """Add a file, and give its temporary path to a library that writes to no open file."""
        return self._add(name).path

    def array(self, name: str, shape: Sequence[int], dtype: Any) -> np.ndarray:
        """Add a ``.npy`` file of zeros, and map it for writing; its room on the disk is reserved.

        It must not be changed after the ``with``.
        """
        array = create_array(self.open(name), shape, dtype)
        self._parts.arrays.append(array)
        return array

    def reuse(self, name: str, entry: FileEntry) -> bool:
        """Add a file that an earlier version of this folder has, without writing it; false if it is gone by now."""
        self._check_new(name)
        path = self.folder / entry.file
        if not FILE_NAME.fullmatch(entry.file):
            raise ValueError(f"'entry' must be a file of the folder (got {entry})")
        try:
            with open_regular(path) as file:
                if os.fstat(file.fileno()).st_size != entry.size:
                    return False
            self._add(name, link_to=path)
        except (OSError, ValueError):  # Gone, no plain file, or a file system without hard links.
            return False
        self._parts.files[self._start + name] = entry
        return True

    def _add(self, name: str, link_to: Path | None = None) -> Temporary:
        self._check_new(name)
        temporary = Temporary(self.folder, PurePosixPath(name).suffix, link_to)
        self._parts.temporaries[self._start + name] = self._parts.stack.enter_context(temporary)
        return temporary

    def _check_new(self, name: str) -> None:
        if self._start + name in self._parts.temporaries:
            raise ValueError(f"'name' must be new to the version (got {self._start + name!r} again)")


@dataclass
class _Parts:
    """What a writer and its sections share, by full names."""

    temporaries: dict[str, Temporary] = field(default_factory=dict)
    files: dict[str, FileEntry] = field(default_factory=dict)
    arrays: list[Any] = field(default_factory=list)
    opened: ExitStack = field(default_factory=ExitStack)
    stack: ExitStack = field(default_factory=ExitStack)

    def finish(self) -> None:
        """Flush all files to the disk and compute their checksums."""
        for array in self.arrays:
            if hasattr(array, "flush"):
                array.flush()
        self.opened.close()
        for name, temporary in self.temporaries.items():
            if name not in self.files:
                self.files[name] = _describe(name, temporary)


def _describe(name: str, temporary: Temporary) -> FileEntry:
    """Flush a file, and name it after its content."""
    temporary.flush()
    with os.fdopen(os.open(temporary.path, os.O_RDONLY | NO_LINK), "rb") as file:
        size, digest = os.fstat(file.fileno()).st_size, sha256_file(file)
    plain = PurePosixPath(name)
    suffix = plain.suffix if SUFFIX.fullmatch(plain.suffix) else ""
    stem = re.sub(r"[^A-Za-z0-9_.]+", "-", name.removesuffix(suffix)).strip("-.")[:80] or "file"
    return FileEntry(f"{stem}-{digest[:16]}{suffix}", size, digest)


@contextmanager
def write_version(
    folder: str | Path, kind: FolderFormat, entries: Mapping[str, Any] | None = None
) -> Iterator[FolderWriter]:
    """Write a new version of a folder; after an error, the version before stays, and nothing is left of the new one.

    Args:
        folder: The folder, created if it does not exist. Other files in it are left alone.
        kind: Its format.
        entries: JSON values for the manifest; long lists belong in a file.

    Raises:
        ValueError: If the folder has a file named like the manifest that is of something else, or an entry is not
            finite.
        TypeError: If an entry is not of JSON.
        OSError: If the disk is full, the folder read-only, or the like; it names the folder.
        TimeoutError: If another process holds the lock of the folder for ten minutes.
    """
    folder = Path(folder)
    with naming(folder):
        new = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        try:
            check_replaceable(folder, kind)
            parts, entries = _Parts(), dict(entries or {})
            with parts.stack, parts.opened:
                parts.stack.callback(parts.arrays.clear)
                yield FolderWriter(folder, entries, parts)
                _commit(folder, kind, entries, parts)
        except BaseException:
            _remove_new(new)
            raise
        for each in new:
            flush_folder(each.parent)


def check_replaceable(folder: Path, kind: FolderFormat) -> None:
    """Check that a folder holds a version of this kind, even a damaged one or one of another format version, or none.

    Raises:
        ValueError: If the file named like the manifest is of something else.
    """
    path = folder / kind.manifest
    if not os.path.lexists(path):
        return
    with suppress(ValueError), open_regular(path) as file:
        content = parse_json(file.read(LIMIT), path)
        if isinstance(content, dict) and content.get("format") == kind.name:
            return
    raise ValueError(f"{path}: expected a {kind.name}, or nothing, to replace (got something else); move it away")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from putting a version in place.

    Raises:
        TimeoutError: If another process does for ten minutes.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=WAIT, poll_interval=0.01)
    except Timeout:
        text = f"another process has been writing there for {WAIT:.0f} seconds; try again"
        raise TimeoutError(errno.ETIMEDOUT, text, str(folder)) from None
    try:
        yield
    finally:
        lock.release()


def _commit(folder: Path, kind: FolderFormat, entries: Mapping[str, Any], parts: _Parts) -> None:
    """Put a version in place. Until the rename of the manifest the one before is current, and whole."""
    parts.finish()
    path, files = folder / kind.manifest, parts.files
    content = Manifest(entries, files).dump(path, kind)
    with Temporary(folder, ".json") as beside:
        with os.fdopen(os.dup(beside.claim.fileno()), "wb") as file:
            file.write(content)
        beside.flush()
        with locked(folder):
            check_replaceable(folder, kind)
            replaced = {entry.file for entry in files.values()} | _named(folder, kind)
            try:
                for name, temporary in parts.temporaries.items():
                    temporary.rename(folder / files[name].file)
                flush_folder(folder)
                beside.rename(path)
                flush_folder(folder)
            finally:
                _collect(folder, kind, replaced)


def _named(folder: Path, kind: FolderFormat) -> set[str]:
    """Names of the files of the current version; none if its manifest is damaged."""
    with suppress(OSError, ValueError):
        return {entry.file for entry in read_manifest(folder, kind).files.values()}
    return set()


def _collect(folder: Path, kind: FolderFormat, replaced: set[str]) -> None:
    """Delete files of versions that are not current; none if the manifest cannot be understood."""
    try:
        current = {entry.file for entry in read_manifest(folder, kind).files.values()}
    except FileNotFoundError:
        current = set()
    except (OSError, ValueError):
        return
    with suppress(OSError):
        for path in sorted(folder.iterdir()):
            match = FILE_NAME.fullmatch(path.name)
            if match and path.name not in current and (path.name in replaced or _is_named_after_itself(path, match[1])):
                with suppress(OSError):
                    path.unlink()
    remove_stale(folder, again=True)


def _is_named_after_itself(path: Path, digest: str) -> bool:
    """Whether a file is left over of a version whose writer was killed: nobody else names files so."""
    with suppress(OSError, ValueError), open_regular(path) as file:
        return sha256_file(file).startswith(digest)
    return False


def _remove_new(folders: Sequence[Path]) -> None:
    """Delete folders that were made for a version that failed, unless another process uses them meanwhile."""
    for folder in folders:
        with suppress(OSError):
            if {path.name for path in folder.iterdir()} == {LOCK}:
                with locked(folder):
                    if len(list(folder.iterdir())) == 1:
                        (folder / LOCK).unlink()
            folder.rmdir()
