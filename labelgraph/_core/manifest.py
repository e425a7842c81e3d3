"""Versioned folders: a manifest names the files of the current version and their checksums.

::

    model.json                               the manifest: format, version, entries, files, and its own checksum
    parameters-0123456789abcdef.safetensors  a file, named after the start of its SHA-256
    .lock                                    locked while a version is put in place

A file of a version never changes. A new version has files with other names, and its manifest atomically replaces the
previous one (see `commit`). A process that has opened all files of a version can still read them after they are deleted
(see `versions`).
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
from labelgraph._core.json_files import LIMIT, parse_json, read_at_most
from labelgraph._core.reading import quoted
from labelgraph._core.temporary import NO_LINK

FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}-(?P<digest>[0-9a-f]{16})(\.\w{1,16})?", re.ASCII)
SHA256 = re.compile(r"[0-9a-f]{64}")
MOST_FILES = 256  # All files are open at the same time while a version is read.


@dataclass(frozen=True)
class FolderFormat:
    """The format of a versioned folder.

    Args:
        manifest: Name of the manifest file, such as ``"model.json"``.
        name: Name of the format, such as ``"labelgraph model"``.
        version: Version of the format.
        remedy: What to do with a folder of another version, such as ``"index again"``; empty if nothing is known.
    """

    manifest: str
    name: str
    version: int
    remedy: str = ""


@dataclass(frozen=True)
class FileEntry:
    """A file of a version: its name in the folder, its size in bytes and its SHA-256."""

    file: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The content of a manifest.

    Args:
        entries: JSON values by name.
        files: Files by the names that the program uses for them.
    """

    entries: Mapping[str, Any]
    files: Mapping[str, FileEntry]

    def dump(self, path: Path, kind: FolderFormat) -> bytes:
        """Return the bytes of the manifest file, after a check that `parse` can read them.

        Raises:
            ValueError: If the bytes could not be read again, for example because a number is not finite.
            TypeError: If JSON cannot hold an entry.
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
        """Parse and check the bytes of a manifest file.

        Raises:
            ValueError: If the content is damaged or has another format or version; the message names ``path``.
        """
        whole = parse_json(content, path)
        if not isinstance(whole, dict) or whole.get("format") != kind.name:
            raise ValueError(f"{path}: expected a {kind.name} (got something else)")
        if whole.get("version") != kind.version:
            remedy = f"; {kind.remedy}" if kind.remedy else ""
            raise ValueError(f"{path}: expected a {kind.name} of version {kind.version} (got "
                             f"{quoted(whole.get('version'))}){remedy}")  # fmt: skip
        checksum = whole.pop("checksum", None)
        if checksum != _checksum(whole, path):
            raise ValueError(f"{path}: expected content that matches its checksum; the file is damaged")
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
    """Check a file entry; its name must be a file of the folder, even if the manifest was changed."""
    if isinstance(entry, dict) and entry.keys() == {"file", "size", "sha256"}:
        file, size, digest = entry["file"], entry["size"], entry["sha256"]
        fits = isinstance(file, str) and isinstance(digest, str) and type(size) is int and size >= 0
        match = FILE_NAME.fullmatch(file) if fits else None
        if match and SHA256.fullmatch(digest) and digest.startswith(match["digest"]):
            return FileEntry(file, size, digest)
    raise ValueError(
        f"{path}: expected a file of this folder for {quoted(name)}, with size and SHA-256 (got {quoted(entry)})"
    )


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; links are not followed.

    Raises:
        ValueError: If ``path`` is a link, a folder, a device or a pipe.
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
    """Read the manifest of a folder, without opening the files that it names.

    Raises:
        FileNotFoundError: If the folder has no manifest.
        ValueError: If the manifest is damaged or has another format.
    """
    with open_manifest(folder, kind) as file:
        return Manifest.parse(read_at_most(file, LIMIT), folder / kind.manifest, kind)


def open_manifest(folder: Path, kind: FolderFormat) -> BinaryIO:
    """Open the manifest of a folder for reading.

    Raises:
        FileNotFoundError: If the folder has no manifest.
    """
    path = folder / kind.manifest
    try:
        return open_regular(path)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{path}: no such {kind.name}") from None
