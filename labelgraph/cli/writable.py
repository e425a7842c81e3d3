"""Whether an output can be written, told before hours of work."""

from __future__ import annotations

import errno
import os
from pathlib import Path


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
