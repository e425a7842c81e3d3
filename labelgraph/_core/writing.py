"""Files and folders are written whole or not at all."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

PART = ".part"


def replace_file(path: Path, content: bytes) -> None:
    """Write a file in place of the one there; whatever interrupts that, the old or the new is there, complete.

    Raises:
        OSError: If the disk is full, the folder read-only, or the like; it names the file.
    """
    beside = path.with_name(path.name + PART)
    try:
        beside.write_bytes(content)
        settle(beside)
        beside.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
    settle_folder(path.parent)


def settle(path: Path) -> None:
    """Wait until a file is on the disk."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def settle_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_writable(path: Path, beside: bool = False) -> None:
    """Check that a folder can be written into, or made.

    Args:
        path: The folder.
        beside: Whether a further folder is to be made beside it.

    Raises:
        ValueError: If it has no name, or a file is in its place or above it.
        PermissionError: If it, or the first folder above it that is there, is read-only.
    """
    if not path.absolute().name:
        raise ValueError(f"'--out' must be a folder with a name (got {path})")
    for place in (path.absolute(), path.absolute().parent)[: 1 + beside]:
        there = next(each for each in (place, *place.parents) if each.exists())
        if not there.is_dir():
            raise ValueError(f"'--out' must be a folder (got {path}, where {there} is a file)")
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "cannot write into it (Permission denied)", str(there))
