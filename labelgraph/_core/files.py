"""Atomic writing of files.

A file is written under a temporary name in the folder of its target, flushed to the disk, and atomically renamed. After
any interruption, the target holds either the old or the new content.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO

from labelgraph._core.temporary import NO_LINK, Temporary, flush_folder, lock_file, naming, remove_stale

BLOCK = 1 << 20


@contextmanager
def open_atomic(
    path: str | Path, mode: str = "wb", *, encoding: str | None = None, newline: str | None = None
) -> Iterator[IO[Any]]:
    r"""Open a temporary file for writing, which replaces ``path`` at the end of the ``with``.

    After an error, the temporary file is deleted and ``path`` stays unchanged. A link at ``path`` is replaced, and its
    target stays unchanged. The umask sets the permissions, as for any new file.

    Args:
        path: Path of the file; its folder must exist.
        mode: ``"wb"`` for bytes or ``"w"`` for text; the file also supports reading and seeking.
        encoding: Encoding of text; defaults to UTF-8.
        newline: Line endings, as in `open`; use ``""`` for CSV.

    Raises:
        OSError: If the disk is full, the folder is read-only or missing, or ``path`` is a folder, a device or a pipe.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from labelgraph._core.files import open_atomic
        >>> path = Path(tempfile.mkdtemp()) / "a.npz"
        >>> with open_atomic(path) as file:
        ...     np.savez_compressed(file, a=np.arange(3))
        >>> [name.name for name in path.parent.iterdir()]
        ['a.npz']
    """
    if mode not in ("wb", "w"):
        raise ValueError(f"'mode' must be 'wb' or 'w' (got {mode!r})")
    if mode == "w":
        encoding = encoding or "utf-8"
    with _replacing(Path(path)) as temporary:
        copy = os.dup(temporary.claim.fileno())
        with os.fdopen(copy, mode.replace("w", "w+"), encoding=encoding, newline=newline) as file:
            yield file


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield the path of an empty temporary file, which replaces ``path`` at the end of the ``with``.

    Use it for a library that writes to a path, and `open_atomic` for a library that takes an open file. The temporary
    path has the suffix of ``path``.

    Raises:
        OSError: As for `open_atomic`. The exception of a Rust library with a system error number becomes an OSError.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from labelgraph._core.files import atomic_path
        >>> path = Path(tempfile.mkdtemp()) / "a.txt"
        >>> with atomic_path(path) as temporary:
        ...     size = temporary.write_text("whole")
        >>> path.read_text()
        'whole'
    """
    with _replacing(Path(path)) as temporary:
        yield temporary.path


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file atomically; see `open_atomic`."""
    with open_atomic(path) as file:
        file.write(content)


def write_text(path: str | Path, content: str) -> None:
    r"""Write a text file atomically as UTF-8; ``\n`` stays ``\n`` on every system; see `open_atomic`."""
    write_bytes(path, content.encode("utf-8"))


@contextmanager
def _replacing(path: Path) -> Iterator[Temporary]:
    with naming(path):
        _check_replaceable(path)
        remove_stale(path.parent)
        with Temporary(path.parent, path.suffix) as temporary:
            yield temporary
            temporary.flush()
            temporary.rename(path)
        flush_folder(path.parent)


def _check_replaceable(path: Path) -> None:
    """Refuse a folder, a device such as /dev/null, or a link to a device, which the rename would replace."""
    with suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "expected a file, or nothing, to write to (got a folder)", str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "expected a file, or nothing, to write to (got a device or pipe)", str(path))


def open_partial(path: str | Path) -> BinaryIO:
    """Open or create a file that stays after an interruption, so that a later run can complete it.

    The file is locked against other processes.

    Raises:
        OSError: If another process holds the file, or ``path`` is a link.
    """
    with naming(Path(path)):
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | NO_LINK, 0o666), "r+b")
        if not lock_file(file):
            file.close()
            raise BlockingIOError(errno.EAGAIN, "another process is writing this file", str(path))
        return file


def reserve(file: BinaryIO, size: int) -> None:
    """Extend a file to a size and reserve its space on the disk, so that the mapped file can be written.

    Without reserved space, writing to a mapped file on a full disk ends the process with the signal SIGBUS.

    Raises:
        OSError: If the disk has not enough space.
    """
    present = os.fstat(file.fileno()).st_size
    if size <= present:
        return
    try:
        os.posix_fallocate(file.fileno(), present, size - present)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
        file.seek(present)
        for start in range(present, size, BLOCK):
            file.write(bytes(min(BLOCK, size - start)))
        file.flush()


def check_writable(path: str | Path, *, folder: bool = False, name: str = "path") -> None:
    """Check, before hours of work, that a file or folder can be written to.

    The check creates and deletes a temporary file.

    Args:
        path: Path of the file or folder. Neither it nor the folders above it need to exist.
        folder: Whether ``path`` is a folder.
        name: Name of the argument as the user types it, such as ``"--out"``.

    Raises:
        ValueError: If ``path`` is a file but a folder is expected, or a folder but a file is expected.
        OSError: If the nearest existing folder is read-only, or the disk is full.
    """
    path = Path(path).absolute()
    if path.exists() and path.is_dir() != folder:
        kinds = ("a folder", "a file") if folder else ("a file", "a folder")
        raise ValueError(f"'{name}' must be {kinds[0]} (got {path}, which is {kinds[1]})")
    above = next(place for place in ((path,) if folder else ()) + tuple(path.parents) if place.exists())
    if not above.is_dir():
        raise ValueError(f"'{name}' must be in a folder (got {path}, where {above} is a file)")
    with naming(path):
        if not folder:
            _check_replaceable(path)
        with Temporary(above):
            pass
