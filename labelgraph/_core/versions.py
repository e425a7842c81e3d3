"""Reading of a version of a folder (see `manifest`), even if other processes replace it meanwhile."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from labelgraph._core.argument_kinds import as_path
from labelgraph._core.arrays import map_array
from labelgraph._core.digests import sha256_bytes, sha256_file
from labelgraph._core.json_files import LIMIT, parse_json, read_at_most
from labelgraph._core.manifest import FileEntry, FolderFormat, Manifest, open_manifest, open_regular

if TYPE_CHECKING:
    import numpy as np

PATIENCE = 60.0  # Seconds to look for a version that is not replaced while it is being opened.


class Version:
    """All files of one version of a folder, open for reading.

    Attributes:
        entries: JSON values by name.
        files: `FileEntry` by name.
    """

    def __init__(self, folder: Path, kind: FolderFormat, manifest: Manifest, opened: Mapping[str, BinaryIO]) -> None:
        self.folder, self.entries, self.files = folder, manifest.entries, manifest.files
        self._kind, self._opened = kind, opened
        self._ahead: dict[str, Future[str]] = {}

    def section(self, name: str) -> Version:
        """Return the part that was written through the section ``name`` of the writer."""
        start, entries = f"{name}/", self.entries.get(name)
        if not isinstance(entries, dict):
            raise ValueError(f"{self.folder / self._kind.manifest}: expected the entry {name!r}")
        files = {key.removeprefix(start): entry for key, entry in self.files.items() if key.startswith(start)}
        opened = {key: self._opened[start + key] for key in files}
        version = Version(self.folder, self._kind, Manifest(entries, files), opened)
        version._ahead = {key: self._ahead[start + key] for key in files if start + key in self._ahead}
        return version

    def path(self, name: str) -> Path:
        """Return the path of a file, for messages. `open`, `read` and `array` work even if the file was deleted.

        Raises:
            ValueError: If the version has no such file.
        """
        if name not in self.files:
            names = ", ".join(self.files) or "none"
            raise ValueError(f"{self.folder / self._kind.manifest}: expected the file {name!r} (got {names})")
        return self.folder / self.files[name].file

    def open(self, name: str) -> BinaryIO:
        """Return an open file at its start; only its size was checked. The file is closed with the version."""
        self.path(name)
        self._opened[name].seek(0)
        return self._opened[name]

    def read(self, name: str) -> bytes:
        """Read a whole file, and check its checksum.

        Raises:
            ValueError: If the file is damaged.
        """
        content = self.open(name).read(self.files[name].size + 1)
        self._compare(name, sha256_bytes(content))
        return content

    def json(self, name: str) -> Any:
        """Read a JSON file, and check its checksum."""
        return parse_json(self.read(name), self.path(name))

    def array(self, name: str) -> np.ndarray:
        """Map a ``.npy`` file. The header and the size are checked, but not the checksum.

        The array stays mapped after the ``with``.
        """
        return map_array(self.open(name), self.path(name))

    def checked_array(self, name: str) -> tuple[np.ndarray, Callable[[], None]]:
        """Map a ``.npy`` file, as `array` does, and return the array and a function that checks its checksum.

        The function works after the ``with``, and even if the file was deleted. It raises a ValueError if the file is
        damaged.
        """
        array = self.array(name)
        header = self.open(name).read(self.files[name].size - array.nbytes)

        def check() -> None:
            content = array.ravel("K").view("u1").data if array.nbytes else b""
            self._compare(name, self._ahead[name].result() if name in self._ahead else sha256_bytes(header, content))

        return array, check

    def check_ahead(self, *names: str) -> None:
        """Start to compute checksums in a thread, for `verify` and the functions of `checked_array`.

        The thread takes a processor and no lock of Python, so that the process can import modules meanwhile.

        Args:
            names: Names of files that are not empty.
        """
        pool = ThreadPoolExecutor(1)
        for name in names:
            content = mmap.mmap(self.open(name).fileno(), 0, access=mmap.ACCESS_READ)
            self._ahead[name] = pool.submit(sha256_bytes, content)
        pool.shutdown(wait=False)

    def verify(self, *names: str) -> None:
        """Check the checksums of files, by default of all files.

        Raises:
            ValueError: If a file is damaged.
        """
        for name in names or self.files:
            self._compare(name, self._ahead[name].result() if name in self._ahead else sha256_file(self.open(name)))

    def _compare(self, name: str, digest: str) -> None:
        expected = self.files[name].sha256
        if digest != expected:
            raise ValueError(f"{self.path(name)}: expected SHA-256 {expected} (got {digest}); the file is damaged")


@contextmanager
def open_version(folder: str | Path, kind: FolderFormat, patience: float = PATIENCE) -> Iterator[Version]:
    """Open the current version of a folder, which other processes may replace meanwhile.

    Args:
        folder: Folder that `write_version` wrote.
        kind: Format of the folder.
        patience: Seconds to keep trying if every version is replaced before its files are open.

    Raises:
        FileNotFoundError: If the folder holds no version, or a file of the version is missing.
        ValueError: If the manifest is damaged or has another format, or a file is a link or has another size.

    Example:
        >>> import tempfile
        >>> from labelgraph._core.commit import write_version
        >>> from labelgraph._core.manifest import FolderFormat
        >>> from labelgraph._core.versions import open_version
        >>> folder, kind = tempfile.mkdtemp(), FolderFormat("notes.json", "notes", 1)
        >>> with write_version(folder, kind, {"author": "me"}) as writer:
        ...     writer.write("a.txt", b"hello")
        >>> with open_version(folder, kind) as version:
        ...     version.entries["author"], version.read("a.txt")
        ('me', b'hello')
    """
    folder, latest = as_path("folder", folder), time.monotonic() + patience
    with ExitStack() as stack:
        while True:
            manifest_file = stack.enter_context(open_manifest(folder, kind))
            manifest = Manifest.parse(read_at_most(manifest_file, LIMIT), folder / kind.manifest, kind)
            try:
                opened = {name: stack.enter_context(_open(folder, entry)) for name, entry in manifest.files.items()}
                break
            except FileNotFoundError as error:
                # While the manifest is open, no other manifest can have its inode number.
                if _same(manifest_file, folder / kind.manifest) or time.monotonic() > latest:
                    raise FileNotFoundError(f"{error.filename}: no such file") from None
            stack.close()
            time.sleep(0.001)
        yield Version(folder, kind, manifest, opened)


def _same(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except FileNotFoundError:
        return True


def _open(folder: Path, entry: FileEntry) -> BinaryIO:
    path = folder / entry.file
    file = open_regular(path)
    size = os.fstat(file.fileno()).st_size
    if size != entry.size:
        file.close()
        raise ValueError(f"{path}: expected {entry.size:,} bytes (got {size:,}); the file is damaged")
    return file
