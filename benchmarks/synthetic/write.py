"""A synthetic set on disk, written block by block, as a folder that `labelgraph.data` reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

from benchmarks.synthetic.generate import SyntheticData
from benchmarks.synthetic.sets import BLOCK, SETS, SyntheticSet
from labelgraph._core.commit import FolderWriter, write_version
from labelgraph._core.progress import progress_bar
from labelgraph.data import PUBLISHED_SIZES, make_splits
from labelgraph.data.formats.folder_sources import KIND, NAMES, SPLITS


@contextmanager
def shown_progress() -> Iterator[Callable[[int, int], None]]:
    """Show progress on standard error; yield a function for ``tell`` of `write_set` and others.

    The bar appears with the first block, so that wrong arguments are refused without one.
    """
    with ExitStack() as stack:
        bars: list[Any] = []

        def tell(done: int, total: int) -> None:
            if not bars:
                bars.append(stack.enter_context(progress_bar("writing", total, "items")))
            bars[0].update(done - bars[0].n)

        yield tell


def write_set(
    name: str,
    path: Path,
    items: int | None = None,
    seed: int = 0,
    split: str = "dcmh",
    block: int = BLOCK,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write a set into a new folder, block by block; the folder appears when it is complete.

    The arrays are ``image`` float32, the CSR parts ``text_data``, ``text_indices`` and ``text_indptr``, and ``labels``
    uint8.

    Args:
        name: Key of ``SETS``.
        path: The folder.
        items: Number of items; by default that of the published set.
        seed: Random seed.
        split: Key of `labelgraph.data.SPLITS`; sizes are the published ones if all items are written.
        block: Number of items in memory.
        tell: Function that is called with the number of finished items and of all items.

    Raises:
        ValueError: If the set is unknown, the folder exists, or a number is below 1.
    """
    if name not in SETS:
        raise ValueError(f"'name' must be one of {', '.join(SETS)} (got {name!r})")
    spec = SETS[name]
    total = spec.items if items is None else items
    for argument, value in (("items", total), ("block", block)):
        if value < 1:
            raise ValueError(f"'{argument}' must be at least 1 (got {value})")
    published = PUBLISHED_SIZES.get(split, {}).get(name, {}) if total == spec.items else {}
    write_items(
        spec, path, total, seed, block, tell,
        splits=lambda labels: make_splits(torch.from_numpy(labels), split, seed, **published),
        about={"set": name, "split": split},
    )  # fmt: skip


def write_items(
    spec: SyntheticSet,
    path: Path,
    total: int,
    seed: int,
    block: int = BLOCK,
    tell: Callable[[int, int], None] = lambda done, total: None,
    *,
    splits: Callable[[np.ndarray], Mapping[str, Tensor]] = lambda labels: {},
    about: Mapping[str, Any],
) -> None:
    """Write items of any description, as `write_set` does.

    Args:
        spec: Description of the set.
        path: A new folder.
        total: Number of items.
        seed: Random seed.
        block: Number of items in memory.
        tell: Function that is called with the number of finished items and of all items.
        splits: Function from all labels, (N, C), to index vectors by name; by default no splits.
        about: Entries for the manifest of the folder.

    Raises:
        ValueError: If the folder exists.
    """
    if path.exists():
        raise ValueError(f"'path' must be a new folder (got {path})")
    entries = {
        "shapes": {"text": [total, spec.text_channels]},
        "synthetic": {**about, "seed": seed, "stated": spec.stated},
    }
    names = {"label_names": list(spec.labels), "ids": [], "titles": [], "encoders": {}}
    with write_version(path, KIND, entries) as writer:
        writer.write(NAMES, json.dumps(names).encode())
        labels = _write_rows(SyntheticData(spec, seed), writer, total, block, tell)
        for part, index in splits(labels).items():
            writer.array(f"{SPLITS}/{part}.npy", index.shape, "int64")[...] = index.numpy()


def _write_rows(
    data: SyntheticData, writer: FolderWriter, total: int, block: int, tell: Callable[[int, int], None]
) -> np.ndarray:
    """Append all items to the arrays of a folder, and return the labels."""
    names = ("image", "text_data", "text_indices", "text_indptr", "labels")
    files = {name: GrowingArray(writer.open(f"{name}.npy")) for name in names}
    files["text_indptr"].append(np.zeros(1, dtype=np.int64))
    labels, entries = [], 0
    for start in range(0, total, block):
        rows = data.rows(start, min(start + block, total))
        files["image"].append(rows.image)
        files["text_data"].append(rows.text.data)
        files["text_indices"].append(rows.text.indices.astype(np.int32))
        files["text_indptr"].append(entries + rows.text.indptr[1:].astype(np.int64))
        files["labels"].append(rows.labels)
        entries += rows.text.nnz
        labels.append(rows.labels)
        tell(start + len(rows.labels), total)
    for file in files.values():
        file.finish()
    return np.concatenate(labels)


class GrowingArray:
    """A ``.npy`` file to which rows are appended; its header is written again at the end, with the number of rows.

    Args:
        file: A new file, open for writing.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.shape: tuple[int, ...] = ()
        self.dtype: Any = None

    def append(self, rows: np.ndarray) -> None:
        """Write rows at the end."""
        if self.dtype is None:
            self.shape, self.dtype = (0, *rows.shape[1:]), rows.dtype
            self._header()
        self.file.write(np.ascontiguousarray(rows, dtype=self.dtype).data)
        self.shape = (self.shape[0] + len(rows), *self.shape[1:])

    def _header(self) -> int:
        self.file.seek(0)
        description = {"descr": npy.dtype_to_descr(self.dtype), "fortran_order": False, "shape": self.shape}
        npy.write_array_header_1_0(self.file, description)
        return self.file.tell()

    def finish(self) -> None:
        """Write the number of rows."""
        self._header()
