"""Features of many raw items, extracted batch by batch into a resumable file."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from labelgraph._core.progress import progress_bar
from labelgraph.data import MatPictures
from labelgraph.encoders.encoder import Encoder, Features, Item
from labelgraph.encoders.feature_file import FeatureFile


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
    batch_size: int = 8,
    on_error: str = "raise",
    progress: bool = True,
    workers: int = 2,
) -> Extraction:
    """Encode many items, reading the next ones meanwhile.

    With ``out``, features go into ``OUT.part`` as they come, which is renamed once it is whole; a JSON file tells how
    many rows it has. A run that was killed resumes there, and a finished one is read again instead of repeated.
    Items are told apart by what they are called; that a file has other content now is not noticed.

    Args:
        encoder: Of the items.
        items: Paths of pictures, or texts; or `labelgraph.data.MatPictures`, of which a batch is in memory at a time.
        out: A file to keep the features in; by default they stay in memory. Not for sparse features.
        batch_size: How many items at a time.
        on_error: What to do about an item that cannot be read: ``"raise"``, or ``"skip"`` it, which leaves its row 0
            and lists it among the failures.
        progress: Show a progress bar on a terminal, and a line every ten seconds elsewhere.
        workers: How many threads read items.

    Raises:
        ValueError: If there are no items, an item cannot be read and ``on_error`` is ``"raise"``, or ``out`` holds
            features of other items or of another encoder.
        FileNotFoundError: If a file is not there and ``on_error`` is ``"raise"``.
        OSError: If the disk is full, or another process is writing to ``out``.

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
    with rows, progress_bar(encoder.name, len(items), "items", shown=progress, initial=rows.done) as bar:
        for start, futures in _read_ahead(encoder, items, rows.done, batch_size, workers):
            prepared, failed = _collect(names, start, futures, skip)
            failures += failed
            rows.write(start, _embed(encoder, prepared), [vars(failure) for failure in failures])
            bar.update(len(prepared))
        return Extraction(rows.finish(), failures)


class _Rows(nullcontext[None]):
    """Features in memory."""

    def __init__(self, encoder: Encoder, size: int) -> None:
        super().__init__()
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
