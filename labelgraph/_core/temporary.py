"""Temporary files that belong to a process, and are deleted once it has ended, however it ended.

The name is random and created exclusively, so two processes never share one, and a link that was planted in the folder
is not followed. The process holds a lock on its file, which the system releases when the process ends: a temporary file
without a lock is left over, and the next process that writes into the folder deletes it.
"""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows: files are not locked, and temporary files that were left over stay.
    fcntl = None  # type: ignore[assignment]

TEMPORARY_NAME = re.compile(r"\.part-[0-9a-f]{16}(\.\w{1,16})?", re.ASCII)
SUFFIX = re.compile(r"\.\w{1,16}", re.ASCII)
NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
RUST_ERROR = re.compile(r"\(os error (\d+)\)")  # How safetensors and other libraries in Rust tell an error number.
_cleaned: set[tuple[int, int]] = set()  # Folders that this process has looked through.


class Temporary:
    """An empty file of a new name, locked by this process, and deleted at the end of the ``with`` unless renamed.

    Args:
        folder: Where it is.
        suffix: End of its name, such as ``".npz"``.
        link_to: A file in the folder that the new name is to stand for, in place of an empty file.

    Raises:
        OSError: If the folder cannot be written into, or ``link_to`` cannot be linked or is still being written.
    """

    def __init__(self, folder: Path, suffix: str = "", link_to: Path | None = None) -> None:
        self._process = os.getpid()
        while True:
            suffix = suffix if SUFFIX.fullmatch(suffix) else ""
            self.path = folder / f".part-{secrets.token_hex(8)}{suffix}"
            if link_to is not None:
                os.link(link_to, self.path, follow_symlinks=False)
            new = os.O_CREAT | os.O_EXCL if link_to is None else 0
            try:
                self.claim = io.FileIO(os.open(self.path, os.O_RDWR | new | NO_LINK, 0o666), "r+")
            except OSError:
                if link_to is not None:
                    self.path.unlink(missing_ok=True)
                raise
            # Another process may have taken the new name for a stale one, in the instant before the lock.
            if lock_file(self.claim, shared=link_to is not None) and os.path.lexists(self.path):
                return
            self.__exit__()
            if link_to is not None:  # Its writer may hold it for long, through a child process.
                raise BlockingIOError(errno.EAGAIN, "another process holds the file", str(link_to))

    def flush(self) -> None:
        """Wait until the content is on the disk; the file under the name may be another one than was created."""
        descriptor = os.open(self.path, os.O_RDWR | NO_LINK)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, path: Path) -> None:
        """Put the file in place of ``path``."""
        if fcntl is None:  # Windows renames no open file.
            self.claim.close()
        self.path.replace(path)

    def __enter__(self) -> Temporary:
        return self

    def __exit__(self, *_: object) -> None:
        if os.getpid() == self._process:  # Not in a child process that was forked meanwhile.
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
        self.claim.close()


def lock_file(file: IO[bytes] | io.FileIO, shared: bool = False) -> bool:
    """Lock an open file until it is closed, or tell that another process holds it; true also without locks."""
    try:
        if fcntl is not None:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # A file system without locks: no temporary file counts as left over there.
        return True
    return True


def remove_stale(folder: Path, again: bool = False) -> None:
    """Delete temporary files in a folder whose process has ended.

    Args:
        folder: The folder.
        again: Look also where this process has looked before.
    """
    with suppress(OSError):
        status = folder.stat()
        if fcntl is None or ((status.st_dev, status.st_ino) in _cleaned and not again):
            return
        _cleaned.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            names = [entry.path for entry in entries if TEMPORARY_NAME.fullmatch(entry.name) and not entry.is_symlink()]
        for name in names:
            with suppress(OSError), io.FileIO(os.open(name, os.O_RDWR | NO_LINK), "r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                Path(name).unlink()


def flush_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let errors of the system name ``path``, where they name no file or a temporary one."""
    try:
        yield
    except BrokenPipeError:  # Not about a file.
        raise
    except OSError as error:
        if error.filename is not None and not TEMPORARY_NAME.fullmatch(Path(str(error.filename)).name):
            raise
        if error.errno is None:
            raise OSError(f"{path}: {error}") from error
        raise OSError(error.errno, error.strerror or os.strerror(error.errno), str(path)) from error
    except Exception as error:
        number = RUST_ERROR.search(str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
