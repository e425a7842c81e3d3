"""Reading a version of a folder, see `manifest`, while other processes may replace it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from labelgraph._core.arrays import map_array
from labelgraph._core.digests import sha256_bytes, sha256_file
from labelgraph._core.json_files import LIMIT, parse_json
from labelgraph._core.manifest import FileEntry, FolderFormat, Manifest, open_manifest, open_regular

if TYPE_CHECKING:
    import numpy as np

PATIENCE = 60.0  # Seconds for which a version is sought that is not replaced while it is being opened.


class Version:
    """All files of one version of a folder, open for reading.

    Attributes:
        entries: JSON values by name.
        files: `FileEntry` by name.
    """

    def __init__(self, folder: Path, kind: FolderFormat, manifest: Manifest, opened: Mapping[str, BinaryIO]) -> None:
        self.folder, self.entries, self.files = folder, manifest.entries, manifest.files
        self._kind, self._opened = kind, opened

    def section(self, name: str) -> Version:
        """What was written through the section ``name`` of the writer."""
        start, entries = f"{name}/", self.entries.get(name)
        if not isinstance(entries, dict):
            raise ValueError(f"{self.folder / self._kind.manifest}: expected the entry {name!r}")
        files = {key.removeprefix(start): entry for key, entry in self.files.items() if key.startswith(start)}
        opened = {key: self._opened[start + key] for key in files}
        return Version(self.folder, self._kind, Manifest(entries, files), opened)

    def path(self, name: str) -> Path:
        """Where a file is, to be told in errors; `open`, `read` and `array` also read it when it is deleted.

        Raises:
            ValueError: If there is no such file.
        """
        if name not in self.files:
            names = ", ".join(self.files) or "none"
            raise ValueError(f"{self.folder / self._kind.manifest}: expected the file {name!r} (got {names})")
        return self.folder / self.files[name].file

    def open(self, name: str) -> BinaryIO:
        """A file at its start, unchecked but for its size; closed with the version."""
        self.path(name)
        self._opened[name].seek(0)
        return self._opened[name]

    def read(self, name: str) -> bytes:
        """Read a file whole, and give it only if its checksum is right.

        Raises:
            ValueError: If it is damaged.
        """
        content = self.open(name).read(self.files[name].size + 1)
        self._compare(name, sha256_bytes(content))
        return content

    def json(self, name: str) -> Any:
        """Read a JSON file, as `read`."""
        return parse_json(self.read(name), self.path(name))

    def array(self, name: str) -> np.ndarray:
        """Map a ``.npy`` file; header and size are checked, not the checksum. It stays mapped after the ``with``."""
        return map_array(self.open(name), self.path(name))

    def verify(self, *names: str) -> None:
        """Compare checksums, by default of all files.

        Raises:
            ValueError: If a file is damaged.
        """
        for name in names or self.files:
            self._compare(name, sha256_file(self.open(name)))

    def _compare(self, name: str, digest: str) -> None:
        expected = self.files[name].sha256
        if digest != expected:
            raise ValueError(f"{self.path(name)}: expected SHA-256 {expected} (got {digest}); the file is damaged")


@contextmanager
def open_version(folder: str | Path, kind: FolderFormat, patience: float = PATIENCE) -> Iterator[Version]:
    """Open the current version of a folder, which other processes may replace meanwhile.

    Args:
        folder: What `write_version` wrote.
        kind: Its format.
        patience: Seconds for which it is tried, if every version is replaced before its files are open.

    Raises:
        FileNotFoundError: If the folder holds no version, or a file of it is missing.
        ValueError: If the manifest is damaged or of another kind, or a file is of another size or a link.

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
    folder, latest = Path(folder), time.monotonic() + patience
    with ExitStack() as stack:
        while True:
            manifest_file = stack.enter_context(open_manifest(folder, kind))
            manifest = Manifest.parse(manifest_file.read(LIMIT + 1), folder / kind.manifest, kind)
            try:
                opened = {name: stack.enter_context(_open(folder, entry)) for name, entry in manifest.files.items()}
                break
            except FileNotFoundError as error:
                # As long as it is open, no other manifest can have its number.
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
