"""Extraction of the features of many raw items in batches, with a file to resume from."""

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
        row: Row number of the item and of its features, which are 0.
        item: Path or text of the item.
        reason: Error message.
    """

    row: int
    item: str
    reason: str


@dataclass(frozen=True)
class Extraction:
    """Result of `extract`.

    Args:
        features: Features, shape (N, channels), float32: a NumPy array, memory-mapped if it was written to a file, or a
            SciPy CSR array.
        failures: Items that could not be read, in order of rows.
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
    """Extract the features of many items in batches; the next batch is read while one is encoded.

    With ``out``, batches are written to ``OUT.part``, which is renamed to ``OUT`` when it is complete. ``OUT.json``
    holds the number of rows written. An interrupted run resumes when you repeat the call, and a finished run is loaded.
    Items are compared by name or path only: if the content of a file has changed, it is not encoded again.

    Args:
        encoder: Encoder of the items.
        items: Paths of pictures, or texts; or `labelgraph.data.MatPictures`, which is read in batches.
        out: File for the features; by default, they stay in memory. Sparse features cannot be written to a file.
        batch_size: Number of items per batch.
        on_error: What to do if an item cannot be read: ``"raise"`` the error, or ``"skip"`` the item, so that its row
            is 0 and it is listed in the failures.
        progress: Show a progress bar on a terminal, and a line every ten seconds elsewhere.
        workers: Number of threads that read items.

    Raises:
        ValueError: If there are no items, an item cannot be read and ``on_error`` is ``"raise"``, or ``out`` holds
            features of other items or of another encoder.
        FileNotFoundError: If a file does not exist and ``on_error`` is ``"raise"``.
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
    failures = [Failure(**failure) for failure in rows.failures]
    skip = on_error == "skip"
    with rows, progress_bar(encoder.name, len(items), "items", shown=progress, initial=rows.done) as bar:
        for start, futures in _read_ahead(encoder, items, rows.done, batch_size, workers):
            prepared, failed = _collect(names, start, futures, skip)
            failures += failed
            rows.write(start, _embed(encoder, prepared), [vars(failure) for failure in failures])
            bar.update(len(prepared))
        return Extraction(rows.finish(), failures)


class _Rows(nullcontext[None]):
    """Features in memory, with the interface of `FeatureFile`."""

    def __init__(self, encoder: Encoder, size: int) -> None:
        super().__init__()
        self.done, self.failures = 0, list[dict[str, Any]]()
        self._dense = None if encoder.sparse else np.zeros((size, encoder.channels), np.float32)
        self._blocks: list[Features] = []

    def write(self, start: int, block: Features, failures: list[dict[str, Any]]) -> None:
        """Store the features of some items."""
        if self._dense is None:
            self._blocks.append(block)
        else:
            self._dense[start : start + block.shape[0]] = block

    def finish(self) -> Features:
        """Return all features."""
        return sp.csr_array(sp.vstack(self._blocks)) if self._dense is None else self._dense


def _read_ahead(
    encoder: Encoder, items: Sequence[Item] | MatPictures, begin: int, batch_size: int, workers: int
) -> Iterator[tuple[int, list[Future]]]:
    """Yield batches that threads read, one batch ahead."""
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
    """Wait for the items of a batch; an item that could not be read becomes ``None``."""
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
    """Features of a batch, with rows of 0 for items that could not be read."""
    good = [row for row, item in enumerate(prepared) if item is not None]
    features = encoder.embed([prepared[row] for row in good]) if good else None
    if features is not None and len(good) == len(prepared):
        return features
    shape = (len(prepared), encoder.channels)
    if encoder.sparse:
        spread = sp.csr_array((np.ones(len(good), np.float32), (good, range(len(good)))), (len(prepared), len(good)))
        return sp.csr_array(shape, dtype=np.float32) if features is None else sp.csr_array(spread @ features)
    rows = np.zeros(shape, np.float32)
    if features is not None:
        rows[good] = features
    return rows
