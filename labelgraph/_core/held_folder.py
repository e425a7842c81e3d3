"""A folder that one process works in for minutes or hours, while others stay out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = "lock"
UNKNOWN = "unknown"  # Until the process has written its number.
OURS = re.compile(rf"\d+|{UNKNOWN}", re.ASCII)


@contextmanager
def held(folder: Path, work: str) -> Iterator[None]:
    """Keep other processes out of a folder. It is created if it does not exist, and then deleted if it stays empty.

    The file ``lock`` in the folder holds the number of the process. The system releases the lock when the process ends,
    in whatever way it ends.

    Args:
        folder: The folder.
        work: What the process does there, such as ``"training"``.

    Raises:
        ValueError: If another process works in the folder, ``folder`` is a file, or ``lock`` is a file of someone else.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from labelgraph._core.held_folder import held
        >>> folder = Path(tempfile.mkdtemp()) / "run"
        >>> with held(folder, "working"):
        ...     _ = (folder / "results.txt").write_text("done")
        >>> [path.name for path in folder.iterdir()]
        ['results.txt']
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: expected a new or an empty folder (got a file)")
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    if not OURS.fullmatch(_holder(path)):
        raise ValueError(f"{path}: expected the lock of a process, or nothing (got another file); move it away")
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(
            f"{folder}: the process {_holder(path)} is {work} in this folder; wait for it, or choose another --out"
        ) from None
    try:
        path.write_text(str(os.getpid()), encoding="utf-8")
        yield
    finally:
        with suppress(OSError):  # Windows does not unlink what is open.
            path.unlink(missing_ok=True)
        lock.release()
        with suppress(OSError):  # The first folder that is not empty stays, and those above it.
            for place in new:
                place.rmdir()


def _holder(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace") or UNKNOWN
    return UNKNOWN
