"""Folders of several files that are read as one version: a manifest names the files and their checksums.

::

    model.json                               the manifest: format, version, entries, files, and its own checksum
    parameters-0123456789abcdef.safetensors  a file, named after the start of its SHA-256
    .lock                                    held while a version is put in place

A file of a version is never changed. A new version brings files of other names, and the manifest that names them
replaces the one before, which is atomic (see `commit`). Who has opened all files of a version keeps them, even if they
are deleted afterwards (see `versions`).
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from labelgraph._core.digests import sha256_json
from labelgraph._core.json_files import LIMIT, parse_json
from labelgraph._core.temporary import NO_LINK

FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}-(?P<digest>[0-9a-f]{16})(\.\w{1,16})?", re.ASCII)
SHA256 = re.compile(r"[0-9a-f]{64}")
MOST_FILES = 256  # All of them are open at a time while a version is read.


@dataclass(frozen=True)
class FolderFormat:
    """A kind of folder.

    Args:
        manifest: Name of the manifest, such as ``"model.json"``.
        name: What the folder is, such as ``"labelgraph model"``.
        version: Of the format.
    """

    manifest: str
    name: str
    version: int


@dataclass(frozen=True)
class FileEntry:
    """A file of a version: its name in the folder, its size in bytes and its SHA-256."""

    file: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a manifest says.

    Args:
        entries: JSON values by name.
        files: Files by the names that the program has for them.
    """

    entries: Mapping[str, Any]
    files: Mapping[str, FileEntry]

    def dump(self, path: Path, kind: FolderFormat) -> bytes:
        """The content of the file, which `parse` has read once.

        Raises:
            ValueError: If the content cannot be read again, for instance for a number that is not finite.
            TypeError: If an entry is not of JSON.
        """
        files = {name: asdict(entry) for name, entry in self.files.items()}
        head = {"format": kind.name, "version": kind.version, "entries": dict(self.entries), "files": files}
        try:
            plain = json.loads(json.dumps(head, allow_nan=False))
        except ValueError as error:
            raise ValueError(f"{path}: cannot be written ({error})") from error
        content = json.dumps({**plain, "checksum": sha256_json(plain)}, indent=1).encode() + b"\n"
        if len(content) > LIMIT:
            raise ValueError(f"{path}: cannot be written (expected at most {LIMIT:,} bytes, got {len(content):,})")
        self.parse(content, path, kind)
        return content

    @classmethod
    def parse(cls, content: bytes, path: Path, kind: FolderFormat) -> Manifest:
        """Read and check the content of a manifest.

        Raises:
            ValueError: If it is damaged, or of another format or version; the message names ``path``.
        """
        whole = parse_json(content, path)
        if not isinstance(whole, dict) or whole.get("format") != kind.name:
            raise ValueError(f"{path}: expected a {kind.name} (got something else)")
        if whole.get("version") != kind.version:
            raise ValueError(f"{path}: expected a {kind.name} of version {kind.version} (got {whole.get('version')!r})")
        checksum = whole.pop("checksum", None)
        if checksum != _checksum(whole, path):
            raise ValueError(f"{path}: expected other entries by its checksum; the file is damaged")
        entries, files = whole.get("entries"), whole.get("files")
        if not isinstance(entries, dict) or not isinstance(files, dict) or len(files) > MOST_FILES:
            raise ValueError(f"{path}: expected 'entries' and at most {MOST_FILES} 'files'")
        return cls(entries, {name: _file_entry(name, entry, path) for name, entry in files.items()})


def _checksum(content: Any, path: Path) -> str:
    try:
        return sha256_json(content)
    except RecursionError as error:
        raise ValueError(f"{path}: expected JSON (got {error})") from error


def _file_entry(name: str, entry: Any, path: Path) -> FileEntry:
    """Check an entry; the name is that of a file in the folder, whatever the manifest says."""
    if isinstance(entry, dict) and entry.keys() == {"file", "size", "sha256"}:
        file, size, digest = entry["file"], entry["size"], entry["sha256"]
        fits = isinstance(file, str) and isinstance(digest, str) and type(size) is int and size >= 0
        match = FILE_NAME.fullmatch(file) if fits else None
        if match and SHA256.fullmatch(digest) and digest.startswith(match["digest"]):
            return FileEntry(file, size, digest)
    raise ValueError(f"{path}: expected a file of this folder for {name!r}, with size and SHA-256 (got {entry!r})")


def open_regular(path: Path) -> BinaryIO:
    """Open a file of a folder for reading; a link is not followed.

    Raises:
        ValueError: If it is a link, a folder, a device or a pipe.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | NO_LINK)
    except OSError as error:
        if not path.is_symlink():
            raise
        raise ValueError(f"{path}: expected a file (got a link)") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError(f"{path}: expected a file (got something else)")
    return os.fdopen(descriptor, "rb")


def read_manifest(folder: Path, kind: FolderFormat) -> Manifest:
    """Read the manifest alone.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is damaged or of another kind.
    """
    with open_manifest(folder, kind) as file:
        return Manifest.parse(file.read(LIMIT + 1), folder / kind.manifest, kind)


def open_manifest(folder: Path, kind: FolderFormat) -> BinaryIO:
    """Open the manifest for reading.

    Raises:
        FileNotFoundError: If there is none.
    """
    path = folder / kind.manifest
    try:
        return open_regular(path)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{path}: no such {kind.name}") from None
