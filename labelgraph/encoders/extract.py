"""Features of many raw items, extracted batch by batch into a resumable file."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from tqdm import tqdm

from labelgraph.data import MatPictures
from labelgraph.encoders.encoder import Encoder, Features, Item

FORMAT = 1


class FeatureFile:
    """A ``.npy`` file on its way: ``NAME.part`` until it is whole, and ``NAME.json`` that tells how far it is.

    Args:
        path: Of the file.
        encoder: Whose features these are.
        items: What they are of, as they are called.

    Attributes:
        done: How many rows an earlier run has written.
        failures: What it told of failures.

    Raises:
        ValueError: If there are features of other items or of another encoder in the file; an unfinished file of
            such is begun anew.
    """

    def __init__(self, path: Path, encoder: Encoder, items: Sequence[str]) -> None:
        self.path = path
        self._part = path.with_name(path.name + ".part")
        self._told = path.with_name(path.name + ".json")
        self._digest = digest(encoder, items)
        self._size = len(items)
        self.done, self.failures = self._earlier()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._rows = None if path.exists() else self._open(encoder.channels)

    def write(self, start: int, block: Features, failures: list[dict[str, Any]]) -> None:
        """Write the features of some items, then how far this is: in that order, a killed run has lost nothing."""
        if self._rows is None:
            raise ValueError(f"{self.path}: is whole already")
        self._rows[start : start + block.shape[0]] = block
        self._rows.flush()
        self._tell(start + block.shape[0], failures)

    def finish(self) -> np.ndarray:
        """Rename the file that is whole now, and give its rows, which are read as they are needed."""
        if self._rows is not None:
            self._rows = None
            self._part.replace(self.path)
        return np.load(self.path, mmap_mode="r", allow_pickle=False)

    def _open(self, channels: int) -> np.memmap:
        shape, mode = (self._size, channels), "r+" if self.done else "w+"
        if mode == "w+":
            self._told.unlink(missing_ok=True)
        return np.lib.format.open_memmap(self._part, mode, dtype=np.float32, shape=shape)

    def _earlier(self) -> tuple[int, list[dict[str, Any]]]:
        """How far an earlier run came with just these items, and its failures."""
        try:
            told = json.loads(self._told.read_text(encoding="utf-8"))
            same = told["format"] == FORMAT and told["digest"] == self._digest
            done, failures = int(told["done"]), list(told["failures"])
        except (OSError, ValueError, KeyError, TypeError):
            same, done, failures = False, 0, []
        if self.path.exists():
            if not same:
                raise ValueError(f"{self.path}: expected features of these items by this encoder (got other ones)")
            return self._size, failures
        return (done, failures) if same and self._part.exists() else (0, [])

    def _tell(self, done: int, failures: list[dict[str, Any]]) -> None:
        beside = self._told.with_name(self._told.name + ".part")
        told = {"format": FORMAT, "digest": self._digest, "done": done, "failures": failures}
        beside.write_text(json.dumps(told, indent=1), encoding="utf-8")
        beside.replace(self._told)


def digest(encoder: Encoder, items: Sequence[str]) -> str:
    """SHA-256 of the settings of an encoder and of what the items are called, in their order."""
    content = json.dumps([encoder.settings, list(items)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class Failure:
    """An item that could not be read.

    Args:
        row: Of the item, and of its features, which are 0.
        item: The path, or the text.
        reason: Why.
    """

    row: int
    item: str
    reason: str


@dataclass(frozen=True)
class Extraction:
    """What `extract` gives.

    Args:
        features: Shape (N, channels), float32: a NumPy array, read from the disk as needed where it was written to
            a file, or a SciPy CSR array.
        failures: The items that could not be read, by row.
    """

    features: Features
    failures: list[Failure]


def extract(
    encoder: Encoder,
    items: Sequence[Item] | MatPictures,
    out: str | Path | None = None,
    *,
    batch_size: int = 32,
    on_error: str = "raise",
    progress: bool = True,
    workers: int = 2,
) -> Extraction:
    """Encode many items, reading the next ones meanwhile.

    With ``out``, features go into a ``.npy`` file as they come. It is written beside and then renamed, with a JSON file
    that tells how far it is: a run that was killed goes on, and a finished one is read again instead of repeated.
    Items are told apart by what they are called; that a file has other content now is not noticed.

    Args:
        encoder: Of the items.
        items: Paths of pictures, or texts; or `labelgraph.data.MatPictures`, of which a batch is in memory at a time.
        out: A file to keep the features in; by default they stay in memory. Not for sparse features.
        batch_size: How many items at a time.
        on_error: What to do about an item that cannot be read: ``"raise"``, or ``"skip"`` it, which leaves its row 0
            and lists it among the failures.
        progress: Show a progress bar where the output is a terminal.
        workers: How many threads read items.

    Raises:
        ValueError: If there are no items, an item cannot be read and ``on_error`` is ``"raise"``, or ``out`` holds
            features of other items or of another encoder.
        FileNotFoundError: If a file is not there and ``on_error`` is ``"raise"``.

    Example:
        >>> from labelgraph.encoders import BagOfWords, extract
        >>> extract(BagOfWords(["bird", "red"]), ["a red bird", "the sea", "Birds"]).features.toarray()
        array([[1., 1.],
               [0., 0.],
               [0., 0.]], dtype=float32)
    """
    if on_error not in ("raise", "skip"):
        raise ValueError(f"'on_error' must be one of raise, skip (got {on_error!r})")
    for name, value in (("batch_size", batch_size), ("workers", workers)):
        if value < 1:
            raise ValueError(f"'{name}' must be at least 1 (got {value})")
    if isinstance(items, str | Path) or not len(items):
        raise ValueError(f"'items' must be a sequence of at least one item (got {items!r})")
    if out is not None and encoder.sparse:
        raise ValueError("'out' must not be given for sparse features (got a path); keep them by 'save_npz'")
    names = items.names if isinstance(items, MatPictures) else list(map(str, items))
    rows = _Rows(encoder, len(items)) if out is None else FeatureFile(Path(out), encoder, names)
    failures = [Failure(**each) for each in rows.failures]
    skip = on_error == "skip"
    with tqdm(total=len(items), initial=rows.done, desc=encoder.name, disable=None if progress else True) as bar:
        for start, futures in _read_ahead(encoder, items, rows.done, batch_size, workers):
            prepared, failed = _collect(names, start, futures, skip)
            failures += failed
            rows.write(start, _embed(encoder, prepared), [vars(failure) for failure in failures])
            bar.update(len(prepared))
    return Extraction(rows.finish(), failures)


class _Rows:
    """Features in memory."""

    def __init__(self, encoder: Encoder, size: int) -> None:
        self.done, self.failures = 0, list[dict[str, Any]]()
        self._dense = None if encoder.sparse else np.zeros((size, encoder.channels), np.float32)
        self._blocks: list[Features] = []

    def write(self, start: int, block: Features, failures: list[dict[str, Any]]) -> None:
        """Take the features of some items."""
        if self._dense is None:
            self._blocks.append(block)
        else:
            self._dense[start : start + block.shape[0]] = block

    def finish(self) -> Features:
        """Give all features."""
        return sp.csr_array(sp.vstack(self._blocks)) if self._dense is None else self._dense


def _read_ahead(
    encoder: Encoder, items: Sequence[Item] | MatPictures, begin: int, batch_size: int, workers: int
) -> Iterator[tuple[int, list[Future]]]:
    """Yield batches that are being read, the next one begun already."""
    pool = ThreadPoolExecutor(workers)
    ahead: deque[tuple[int, list[Future]]] = deque()
    try:
        for start in range(begin, len(items), batch_size):
            ahead.append((start, [pool.submit(encoder.prepare, item) for item in items[start : start + batch_size]]))
            if len(ahead) > 1:
                yield ahead.popleft()
        yield from ahead
    finally:
        pool.shutdown(cancel_futures=True)


def _collect(
    names: Sequence[str], start: int, futures: Sequence[Future], skip: bool
) -> tuple[list[Any], list[Failure]]:
    """Wait for what was read; an item that could not be is none."""
    prepared: list[Any] = []
    failed = []
    for row, future in enumerate(futures, start):
        try:
            prepared.append(future.result())
        except (ValueError, OSError) as error:
            if not skip:
                raise
            prepared.append(None)
            failed.append(Failure(row, names[row], str(error)))
    return prepared, failed


def _embed(encoder: Encoder, prepared: Sequence[Any]) -> Features:
    """Features of what could be read, with rows of 0 for the rest."""
    good = [row for row, each in enumerate(prepared) if each is not None]
    found = encoder.embed([prepared[row] for row in good]) if good else None
    if found is not None and len(good) == len(prepared):
        return found
    shape = (len(prepared), encoder.channels)
    if encoder.sparse:
        spread = sp.csr_array((np.ones(len(good), np.float32), (good, range(len(good)))), (len(prepared), len(good)))
        return sp.csr_array(shape, dtype=np.float32) if found is None else sp.csr_array(spread @ found)
    rows = np.zeros(shape, np.float32)
    if found is not None:
        rows[good] = found
    return rows
