"""Temporary files that are deleted after their process ends, even if it was killed.

A file has a random name and is created exclusively, so two processes never share a file, and a link planted in the
folder is not followed. The process locks its file, and the system releases the lock when the process ends. A temporary
file without a lock is stale, and the next process that writes to the folder deletes it.
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
except ImportError:  # Windows: files are not locked, and stale temporary files stay.
    fcntl = None  # type: ignore[assignment]

TEMPORARY_NAME = re.compile(r"\.part-[0-9a-f]{16}(\.\w{1,16})?", re.ASCII)
SUFFIX = re.compile(r"\.\w{1,16}", re.ASCII)
NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
# How Rust libraries such as safetensors write an error number; the second form is that of safetensors 0.4.
RUST_ERROR = re.compile(r"(?:\(os error |Os \{ code: )(\d+)")
_cleaned: set[tuple[int, int]] = set()  # Folders that this process has cleaned.


class Temporary:
    """An empty file with a new name, locked by this process, and deleted at the end of the ``with`` unless renamed.

    Args:
        folder: Folder of the file.
        suffix: End of the file name, such as ``".npz"``.
        link_to: File in the folder that the new name links to, instead of an empty file.

    Raises:
        OSError: If the folder cannot be written to, or ``link_to`` cannot be linked or is still being written.
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
            # Another process may have deleted the file as stale, in the instant before the lock.
            if lock_file(self.claim, shared=link_to is not None) and os.path.lexists(self.path):
                return
            self.__exit__()
            if link_to is not None:  # The writer may hold the file for long, through a child process.
                raise BlockingIOError(errno.EAGAIN, "another process holds the file", str(link_to))

    def flush(self) -> None:
        """Wait until the content is on the disk; a library may have replaced the created file under its name."""
        descriptor = os.open(self.path, os.O_RDWR | NO_LINK)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, path: Path) -> None:
        """Rename the file to ``path``, and replace the file at ``path``."""
        if fcntl is None:  # Windows cannot rename an open file.
            self.claim.close()
        self.path.replace(path)

    def __enter__(self) -> Temporary:
        return self

    def __exit__(self, *_: object) -> None:
        if os.getpid() == self._process:  # A forked child process must not delete the file.
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
        self.claim.close()


def lock_file(file: IO[bytes] | io.FileIO, shared: bool = False) -> bool:
    """Lock an open file until it is closed; False if another process holds the lock, True if locks do not exist."""
    try:
        if fcntl is not None:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # On a file system without locks, no temporary file counts as stale.
        return True
    return True


def remove_stale(folder: Path, again: bool = False) -> None:
    """Delete the temporary files of ended processes in a folder.

    Args:
        folder: The folder.
        again: Whether to clean a folder that this process has cleaned before.
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
    """Wait until the file names of a folder are on the disk, if the system supports it."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let system errors name ``path`` if they name no file or a temporary file."""
    try:
        yield
    except BrokenPipeError:  # This error is not about a file.
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
