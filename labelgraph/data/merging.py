"""Merging of the parts of a data set."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from labelgraph._core.argument_kinds import as_path
from labelgraph._core.parts import in_order
from labelgraph._core.reading import quoted
from labelgraph.data.formats.npy_folder import folder_arrays, folder_writer, has_sparse_labels, load_folder
from labelgraph.data.formats.npz import save_npz
from labelgraph.data.load import load_path
from labelgraph.data.pairs import CrossModalData
from labelgraph.data.splits.strategies import complete_splits

PER_LABEL = "label_vectors"  # The same in every part. All other arrays have the items of each part.


def merge_parts(parts: Sequence[str | Path], out: str | Path) -> None:
    """Merge the parts of a data set, which ``labelgraph data make --part`` made, into one data set.

    Parts that are folders are copied one after the other, so that the whole set need not fit into the memory.

    Args:
        parts: Paths of all parts, named such as ``my-data.part-2-of-8``, in any order.
        out: File ``.npz``, or a folder.

    Raises:
        ValueError: If a part is missing or given twice, parts have other encoders, vocabularies, label names or sizes
            of features, or two parts have the same item.
        FileNotFoundError: If a part does not exist.
        OSError: If the disk is full or ``out`` is not writable.
    """
    out, paths = as_path("out", out), in_order([as_path("parts", path) for path in parts])
    loaded = [load_path(path) for path in paths]
    _check_fit(paths, loaded)
    if out.suffix != ".npz":
        _write(loaded, out)
        return
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.absolute().parent) as folder:
        _write(loaded, Path(folder) / "merged")
        save_npz(load_folder(Path(folder) / "merged"), out)


def _check_fit(paths: Sequence[Path], parts: Sequence[CrossModalData]) -> None:
    facts = {
        "encoders and vocabulary": lambda part: part.encoders,
        "label names": lambda part: part.label_names,
        "image features": lambda part: part.image_channels,
        "text features": lambda part: part.text_channels,
        "dense or sparse form of the text features": lambda part: isinstance(part.text, Tensor),
        "label vectors": lambda part: None if part.label_vectors is None else part.label_vectors.tolist(),
    }
    for path, part in zip(paths[1:], parts[1:], strict=True):
        for what, of in facts.items():
            if of(part) != of(parts[0]):
                raise ValueError(
                    f"{path}: expected the {what} of {paths[0]} (got others); make all parts from one table by one "
                    "command"
                )
    repeated = [id for id, count in Counter(id for part in parts for id in part.ids).items() if count > 1]
    if repeated:
        raise ValueError(f"the parts must have different items (got {quoted(repeated[0])} in two of them)")


def _write(parts: Sequence[CrossModalData], out: Path) -> None:
    sparse = has_sparse_labels(parts)
    incomplete = not all(part.is_complete for part in parts)
    sources = [folder_arrays(part, sparse_labels=sparse, with_present=incomplete) for part in parts]
    shapes = {
        name: (sum(len(part) for part in parts), width)
        for name, width in (("text", parts[0].text_channels), ("labels", parts[0].num_labels))
        if f"{name}_indptr" in sources[0]
    }
    texts = [name for part in parts for name in part.ids], [title for part in parts for title in part.titles]
    with folder_writer(
        out, _kinds(sources), shapes=shapes, splits=_splits(parts), label_names=parts[0].label_names, ids=texts[0],
        titles=texts[1], encoders=parts[0].encoders,
    ) as written:  # fmt: skip
        for name, array in written.items():
            _fill(name, array, [source[name] for source in sources])


def _kinds(sources: Sequence[dict[str, np.ndarray]]) -> dict[str, tuple[tuple[int, ...], Any]]:
    kinds: dict[str, tuple[tuple[int, ...], Any]] = {}
    for name, first in sources[0].items():
        size = sum(len(source[name]) for source in sources)
        if name.endswith("_indptr"):
            kinds[name] = (size - len(sources) + 1,), np.int64
        else:
            kinds[name] = first.shape if name == PER_LABEL else (size, *first.shape[1:]), first.dtype
    return kinds


def _fill(name: str, array: np.ndarray, sources: Sequence[np.ndarray]) -> None:
    """Copy the arrays of the parts one after the other; the starts of rows of a CSR matrix continue those before."""
    if name == PER_LABEL:
        array[...] = sources[0]
        return
    place, entries, skipped = 0, 0, int(name.endswith("_indptr"))
    for number, source in enumerate(sources):
        rows = source[skipped if number else 0 :]
        array[place : place + len(rows)] = rows + entries if skipped else rows
        place += len(rows)
        entries += int(source[-1]) if skipped else 0


def _splits(parts: Sequence[CrossModalData]) -> dict[str, Any]:
    """Return the splits of all items: those of the parts, and those that follow from them."""
    import torch

    merged: dict[str, list[Any]] = {}
    start = 0
    for part in parts:
        for name, index in part.splits.items():
            merged.setdefault(name, []).append(index + start)
        start += len(part)
    return complete_splits({name: torch.cat(indices) for name, indices in merged.items()})
