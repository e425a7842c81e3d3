"""A synthetic set on disk, written block by block, as a folder that `labelgraph.data` reads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

from benchmarks.synthetic.generate import SyntheticData
from benchmarks.synthetic.sets import SETS, SyntheticSet
from labelgraph.data import PUBLISHED_SIZES, make_splits

BLOCK = 4096


def write_set(
    name: str,
    path: Path,
    items: int | None = None,
    seed: int = 0,
    split: str = "dcmh",
    block: int = BLOCK,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write a set into a new folder, beside and then renamed; memory holds one block of it.

    Files: ``image.npy`` float32, the CSR parts ``text_data.npy``, ``text_indices.npy``, ``text_indptr.npy``,
    ``labels.npy`` uint8, ``splits/NAME.npy``, and ``data.json``.

    Args:
        name: Key of ``SETS``.
        path: The folder.
        items: How many; by default as many as the set has.
        seed: Of everything.
        split: Key of `labelgraph.data.SPLITS`; with the published sizes where all items are made.
        block: Items at a time.
        tell: Called with the items that are done and all.

    Raises:
        ValueError: If the set is unknown, the folder is there, or a number is below 1.
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
    """Write items after any description as `write_set` does.

    Args:
        spec: What to imitate.
        path: A new folder.
        total: How many items.
        seed: Of everything.
        block: Items at a time.
        tell: Called with the items that are done and all.
        splits: Takes all labels, (N, C), and gives index vectors by name; by default none.
        about: Kept in ``data.json``.

    Raises:
        ValueError: If the folder is there.
    """
    if path.exists():
        raise ValueError(f"'path' must be a new folder (got {path})")
    beside = path.with_name(path.name + ".part")
    shutil.rmtree(beside, ignore_errors=True)
    (beside / "splits").mkdir(parents=True)
    labels = _write_rows(SyntheticData(spec, seed), beside, total, block, tell)
    for part, index in splits(labels).items():
        np.save(beside / "splits" / f"{part}.npy", index.numpy())
    made = {**about, "seed": seed, "stated": spec.stated}
    settings = {"format": "labelgraph folder", "version": 1, "shapes": {"text": [total, spec.text_channels]},
                "label_names": list(spec.labels), "synthetic": made}  # fmt: skip
    (beside / "data.json").write_text(json.dumps(settings), encoding="utf-8")
    beside.rename(path)


def _write_rows(
    data: SyntheticData, folder: Path, total: int, block: int, tell: Callable[[int, int], None]
) -> np.ndarray:
    """Append all items to the arrays of a folder; gives the labels."""
    names = ("image", "text_data", "text_indices", "text_indptr", "labels")
    files = {name: GrowingArray(folder / f"{name}.npy") for name in names}
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
        file.close()
    return np.concatenate(labels)


class GrowingArray:
    """A ``.npy`` file to which rows are appended; its header, which leaves room for that, is written again at the end.

    Args:
        path: Of the file.
    """

    def __init__(self, path: Path) -> None:
        self.file = path.open("w+b")
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

    def close(self) -> None:
        """Write how many rows there are."""
        self._header()
        self.file.close()
