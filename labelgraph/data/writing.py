"""Files that are replaced as a whole: written beside, waited for until they are on the disk, then renamed."""

from __future__ import annotations

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
