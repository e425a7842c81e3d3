"""Atomic writing of files, and checks of output folders."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

PART = ".part"


def replace_file(path: Path, content: bytes) -> None:
    """Write a file atomically; after any interruption, it holds the complete old or new content.

    Raises:
        OSError: If the system cannot write, for example to a full disk or a read-only folder; it names the file.
    """
    temporary = path.with_name(path.name + PART)
    try:
        temporary.write_bytes(content)
        settle(temporary)
        temporary.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    settle_folder(path.parent)


def settle(path: Path) -> None:
    """Wait until a file is on the disk."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def settle_folder(path: Path) -> None:
    """Wait until the file names of a folder are on the disk, if the system supports it."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_writable(path: Path, beside: bool = False) -> None:
    """Check that a folder can be written to, or can be created.

    Args:
        path: Path of the folder.
        beside: Whether another folder will be created next to it.

    Raises:
        ValueError: If the path has no name, or is a file or inside a file.
        PermissionError: If the folder, or the nearest existing folder above it, is read-only.
    """
    if not path.absolute().name:
        raise ValueError(f"'--out' must be a folder with a name (got {path})")
    for place in (path.absolute(), path.absolute().parent)[: 1 + beside]:
        existing = next(above for above in (place, *place.parents) if above.exists())
        if not existing.is_dir():
            raise ValueError(f"'--out' must be a folder (got {path}, where {existing} is a file)")
        if not os.access(existing, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "cannot write to this folder (Permission denied)", str(existing))
