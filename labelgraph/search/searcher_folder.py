"""A folder that is replaced as a whole: versions with checksums, and one small file that names the current one.

::

    index.json                 format, current version, SHA-256 of every file in it
    version-0123456789abcdef/  the files

A new version is written out beside the current one; then `index.json` is renamed into place, which is atomic;
then older versions are deleted. Whenever that is interrupted, `index.json` names a complete version.
Who reads while another process writes may find that the version has gone, and then reads the one after it.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from labelgraph._core.writing import PART, replace_file, settle, settle_folder
from labelgraph.methods import Method, load_method
from labelgraph.search.items import Items

FORMAT = 1
PATIENCE = 60.0  # Seconds for which a version is sought that is not replaced while it is being read.
INDEX = "index.json"
VERSION_NAME = re.compile(r"version-[0-9a-f]{16}")
T = TypeVar("T")


@dataclass(frozen=True)
class Version:
    """The current version of a folder.

    Args:
        path: Where its files are.
        files: SHA-256 of each, by its path below.
    """

    path: Path
    files: dict[str, str]

    def read(self, name: str) -> bytes:
        """Read a file whole, and give it only if its checksum is right.

        Raises:
            FileNotFoundError: If it is missing.
            ValueError: If it is damaged, or not one of the files.
        """
        path = self.path / name
        if name not in self.files:
            raise ValueError(f"{self.path.parent / INDEX}: expected the file {name!r} (got {', '.join(self.files)})")
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file")
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest != self.files[name]:
            raise ValueError(f"{path}: expected SHA-256 {self.files[name]} (got {digest}); the file is damaged")
        return content


def read_version(folder: Path) -> Version:
    """Find the current version of a folder; its files are checked when they are read.

    Raises:
        FileNotFoundError: If the folder holds none.
        ValueError: If `index.json` is damaged or of another format.
    """
    path = folder / INDEX
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such saved index")
    try:
        meaning = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected JSON (got {error})") from error
    if not isinstance(meaning, dict) or meaning.get("format") != FORMAT:
        got = meaning.get("format") if isinstance(meaning, dict) else type(meaning).__name__
        raise ValueError(f"{path}: expected a saved index of format {FORMAT} (got {got})")
    current, files = meaning.get("current"), meaning.get("files")
    if not isinstance(current, str) or not VERSION_NAME.fullmatch(current) or not isinstance(files, dict):
        raise ValueError(
            f"{path}: expected the entries 'current' and 'files' (got {current!r}, {type(files).__name__})"
        )
    return Version(folder / current, files)


def read_current(folder: Path, read: Callable[[Version], T]) -> T:
    """Read the current version of a folder, which another process may replace meanwhile.

    Args:
        folder: What `write_version` wrote.
        read: Reads all that is wanted of a version; called anew with the next one if files of it are gone because
            `index.json` names another by then.

    Returns:
        What ``read`` gave, all of it from one version.

    Raises:
        FileNotFoundError: If the folder holds no version, a file of it is missing, or for a minute every version
            was replaced before it was read.
    """
    latest = time.monotonic() + PATIENCE
    while True:
        version = read_version(folder)
        try:
            return read(version)
        except FileNotFoundError:
            if time.monotonic() > latest or read_version(folder) == version:
                raise


def write_version(folder: Path, fill: Callable[[Path], None]) -> None:
    """Replace what a folder holds.

    One process may write at a time. Only `index.json` and version folders are touched.

    Args:
        folder: Made if it is not there.
        fill: Writes all files into the empty folder that it is given.

    Raises:
        OSError: If the disk is full, the folder read-only, or the like; what was there before is kept.
    """
    new = folder / f"version-{secrets.token_hex(8)}"
    try:
        new.mkdir(parents=True)
        fill(new)
        files = {path.relative_to(new).as_posix(): _digest(path) for path in sorted(new.rglob("*")) if path.is_file()}
        for path in (new, *(path for path in new.rglob("*") if path.is_dir())):
            settle_folder(path)
        content = {"format": FORMAT, "current": new.name, "files": files}
        replace_file(folder / INDEX, json.dumps(content, indent=2).encode())
    except OSError as error:
        message = f"cannot save ({error.strerror or error}); what was saved before is kept"
        raise OSError(error.errno, message, str(folder)) from error
    finally:
        settle_folder(folder)
        _delete_others(folder)


def _digest(path: Path) -> str:
    """Wait until a file is on the disk, and give its SHA-256."""
    settle(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _delete_others(folder: Path) -> None:
    """Delete versions that `index.json` does not name, as far as possible; none if it cannot be understood."""
    try:
        current = read_version(folder).path.name
    except FileNotFoundError:
        current = ""
    except (OSError, ValueError):
        return
    with suppress(OSError):
        (folder / (INDEX + PART)).unlink(missing_ok=True)
        for path in folder.iterdir():
            if VERSION_NAME.fullmatch(path.name) and path.name != current:
                shutil.rmtree(path, ignore_errors=True)


MODEL, MEANING, TENSORS = "model", "searcher.json", "index.safetensors"


def write_searcher(folder: Path, method: Method, meaning: Mapping[str, Any], sides: Mapping[str, Items]) -> None:
    """Write all files into an empty folder."""
    from safetensors.torch import save

    method.save_pretrained(folder / MODEL)
    tensors = {}
    for side, items in sides.items():
        tensors[f"{side}.vectors"], tensors[f"{side}.labels"] = items.index.vectors.contiguous(), items.labels
        for ending, content in items.index.dump().items():
            (folder / f"{side}.{ending}").write_bytes(content)
    (folder / TENSORS).write_bytes(save(tensors))
    names = {
        "ids": {side: items.ids for side, items in sides.items()},
        # None where the ids stand for them, which need not be kept twice.
        "titles": {side: None if items.titles == items.ids else items.titles for side, items in sides.items()},
    }
    (folder / MEANING).write_text(json.dumps({**meaning, **names}), encoding="utf-8")


def read_method(version: Version) -> Method:
    """Read the method, once its files are known to be undamaged."""
    for name in version.files:
        if name.startswith(f"{MODEL}/"):
            version.read(name)
    return load_method(version.path / MODEL)


def read_meaning(version: Version) -> dict[str, Any]:
    """Read what was handed to `write_searcher` as the meaning, the ids and the titles."""
    return json.loads(version.read(MEANING))


def read_items(version: Version, meaning: Mapping[str, Any], sides: Mapping[str, Items]) -> None:
    """Fill empty sides with what was saved; FAISS files are parsed only once their checksums have matched."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(version.read(TENSORS))
    except SafetensorError as error:
        raise ValueError(f"{version.path / TENSORS}: expected safetensors (got {error})") from error
    for side, items in sides.items():
        endings = [name.removeprefix(f"{side}.") for name in version.files if name.startswith(f"{side}.")]
        files = {ending: version.read(f"{side}.{ending}") for ending in endings}
        ids, titles = meaning["ids"][side], meaning["titles"][side]
        shown = list(ids) if titles is None else titles
        items.restore(tensors[f"{side}.vectors"], files, ids, shown, tensors[f"{side}.labels"])
