"""Writing of a new version of a folder; `manifest` describes the layout of a folder.

The writer writes the files under temporary names and flushes them to the disk. Then it takes the lock of the folder,
renames the files, atomically replaces the manifest, and deletes the files of the previous version. If two processes
write to one folder, it holds one of the two versions in the end, complete.

Files of other programs are never deleted. The writer only deletes files that the previous manifest named, and files
whose name holds the start of their own SHA-256.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from labelgraph._core.argument_kinds import as_path
from labelgraph._core.arrays import create_array
from labelgraph._core.digests import sha256_file
from labelgraph._core.json_files import LIMIT, parse_json, read_at_most
from labelgraph._core.manifest import FILE_NAME, FileEntry, FolderFormat, Manifest, open_regular, read_manifest
from labelgraph._core.temporary import NO_LINK, SUFFIX, Temporary, flush_folder, naming, remove_stale

if TYPE_CHECKING:
    import numpy as np

LOCK = ".lock"
DIGEST_THREADS = 4
WAIT = 600.0  # Seconds to wait for another process that puts its version in place and deletes the previous one.


class FolderWriter:
    """Collects the files of a new version.

    Attributes:
        entries: JSON values by name. They can be changed until the end of the ``with``.
    """

    def __init__(self, folder: Path, entries: dict[str, Any], parts: _Parts, start: str = "") -> None:
        self.folder, self.entries, self._parts, self._start = folder, entries, parts, start

    @property
    def files(self) -> dict[str, FileEntry]:
        """The files by name; the mapping is complete once the version is in place."""
        described = self._parts.files.items()
        return {name.removeprefix(self._start): file for name, file in described if name.startswith(self._start)}

    def section(self, name: str) -> FolderWriter:
        """Return a writer for a part of the version with its own entries and names, such as the model in an index."""
        return FolderWriter(self.folder, self.entries.setdefault(name, {}), self._parts, f"{self._start}{name}/")

    def write(self, name: str, content: bytes) -> None:
        """Add a file."""
        self.open(name).write(content)

    def open(self, name: str) -> BinaryIO:
        """Add a file, and return it open for reading and writing; it is closed at the end of the ``with``."""
        copy = os.dup(self._add(name).claim.fileno())
        return self._parts.opened.enter_context(os.fdopen(copy, "w+b"))

    def path(self, name: str) -> Path:
        """Add a file, and return its temporary path, for a library that cannot write to an open file."""
        return self._add(name).path

    def array(self, name: str, shape: Sequence[int], dtype: Any) -> np.ndarray:
        """Add a ``.npy`` file of zeros, reserve its space on the disk, and map it for writing.

        The array must not be changed after the ``with``.
        """
        array = create_array(self.open(name), shape, dtype)
        self._parts.arrays.append(array)
        return array

    def reuse(self, name: str, entry: FileEntry) -> bool:
        """Add a file of an earlier version of this folder without writing it again.

        Returns False if the file no longer exists or cannot be linked.
        """
        self._check_new(name)
        path = self.folder / entry.file
        if not FILE_NAME.fullmatch(entry.file):
            raise ValueError(f"'entry' must be a file of the folder (got {entry})")
        try:
            with open_regular(path) as file:
                if os.fstat(file.fileno()).st_size != entry.size:
                    return False
            self._add(name, link_to=path)
        except (OSError, ValueError):  # The file is gone, is not a regular file, or cannot be linked.
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
            raise ValueError(f"'name' must be new in this version (got {self._start + name!r} again)")


@dataclass
class _Parts:
    """State that a writer shares with its sections, by full names."""

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
        new = {name: temporary for name, temporary in self.temporaries.items() if name not in self.files}
        with ThreadPoolExecutor(DIGEST_THREADS) as pool:  # Neither the disk nor SHA-256 holds the interpreter.
            self.files.update(zip(new, pool.map(_describe, new, new.values()), strict=True))


def _describe(name: str, temporary: Temporary) -> FileEntry:
    """Flush a file to the disk, and derive its final name from its content."""
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
    """Write a new version of a folder; after an error, the previous version stays and the new files are deleted.

    Args:
        folder: The folder, created if it does not exist. Other files in the folder stay unchanged.
        kind: Format of the folder.
        entries: JSON values for the manifest; long lists belong in a file.

    Raises:
        ValueError: If the file with the name of the manifest has another format, or an entry is not finite.
        TypeError: If JSON cannot hold an entry.
        OSError: If the system cannot write, for example to a full disk or a read-only folder; it names the folder.
        TimeoutError: If another process holds the lock of the folder for ten minutes.
    """
    folder = as_path("folder", folder)
    with naming(folder):
        new = [path for path in (folder, *folder.parents) if not path.exists()]
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
        for path in new:
            flush_folder(path.parent)


def check_replaceable(folder: Path, kind: FolderFormat) -> None:
    """Check that a folder has no manifest, or one of this format, even with a wrong checksum or format version.

    Raises:
        ValueError: If the file with the name of the manifest is anything else.
    """
    path = folder / kind.manifest
    if not os.path.lexists(path):
        return
    with suppress(ValueError), open_regular(path) as file:
        content = parse_json(read_at_most(file, LIMIT), path)
        if isinstance(content, dict) and content.get("format") == kind.name:
            return
    raise ValueError(f"{path}: expected a {kind.name}, or nothing, to replace (got something else); move it away")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, so that no other process puts a version in place.

    Raises:
        TimeoutError: If another process holds the lock for ten minutes.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=WAIT, poll_interval=0.01)
    except Timeout:
        text = f"another process has been writing to this folder for {WAIT:.0f} seconds; try again"
        raise TimeoutError(errno.ETIMEDOUT, text, str(folder)) from None
    try:
        yield
    finally:
        lock.release()


def _commit(folder: Path, kind: FolderFormat, entries: Mapping[str, Any], parts: _Parts) -> None:
    """Put a version in place. Until the manifest is renamed, the previous version is current and complete."""
    parts.finish()
    path, files = folder / kind.manifest, parts.files
    content = Manifest(entries, files).dump(path, kind)
    with Temporary(folder, ".json") as new_manifest:
        with os.fdopen(os.dup(new_manifest.claim.fileno()), "wb") as file:
            file.write(content)
        new_manifest.flush()
        with locked(folder):
            check_replaceable(folder, kind)
            replaced = {entry.file for entry in files.values()} | _named(folder, kind)
            try:
                for name, temporary in parts.temporaries.items():
                    temporary.rename(folder / files[name].file)
                flush_folder(folder)
                new_manifest.rename(path)
                flush_folder(folder)
            finally:
                _collect(folder, kind, replaced)


def _named(folder: Path, kind: FolderFormat) -> set[str]:
    """Return the names of the files of the current version; none if its manifest is damaged."""
    with suppress(OSError, ValueError):
        return {entry.file for entry in read_manifest(folder, kind).files.values()}
    return set()


def _collect(folder: Path, kind: FolderFormat, replaced: set[str]) -> None:
    """Delete the files of versions that are not current; delete none if the manifest is damaged."""
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
    """Check whether a killed writer left the file: its name holds the start of its own SHA-256."""
    with suppress(OSError, ValueError), open_regular(path) as file:
        return sha256_file(file).startswith(digest)
    return False


def _remove_new(folders: Sequence[Path]) -> None:
    """Delete the folders that a failed version created, unless another process uses them now."""
    for folder in folders:
        with suppress(OSError):
            if {path.name for path in folder.iterdir()} == {LOCK}:
                with locked(folder):
                    if len(list(folder.iterdir())) == 1:
                        (folder / LOCK).unlink()
            folder.rmdir()
