"""The library's own folder of ``.npy`` files, memory-mapped, for data larger than memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from torch import Tensor

from labelgraph._core.argument_kinds import as_path
from labelgraph._core.commit import LOCK, write_version
from labelgraph._core.manifest import FILE_NAME
from labelgraph._core.multi_hot import label_sums, plain_labels
from labelgraph._core.reading import quoted, reading
from labelgraph._core.temporary import TEMPORARY_NAME
from labelgraph.data.formats.array_layouts import csr_from_parts
from labelgraph.data.formats.folder_sources import KIND, NAMES, SETTINGS, SPLITS, OpenFolder, open_folder
from labelgraph.data.pairs import CrossModalData, check_pairs

SPARSE_LABELS = 0.05  # Below this share of ones, labels are written as sparse parts.
PARTS = ("data", "indices", "indptr")
OPTIONAL = ("present", "label_vectors")


@contextmanager
def folder_writer(
    path: str | Path,
    arrays: Mapping[str, tuple[Sequence[int], Any]],
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
    splits: Mapping[str, Any] | None = None,
    label_names: Sequence[str] = (),
    ids: Sequence[str] = (),
    titles: Sequence[str] = (),
    encoders: Mapping[str, Any] | None = None,
) -> Iterator[dict[str, np.ndarray]]:
    r"""Write a folder for `load_folder` block by block, without holding it in memory.

    The arrays are files on disk, whose space is reserved before they are filled. At the end of the ``with`` block, they
    become the current version of the folder in one atomic step. After an error, the earlier version stays. Other
    processes may read or write the folder at the same time.

    Args:
        path: The folder; one written before is replaced.
        arrays: Shape and type by name: ``image`` :math:`(N, D_v)`; ``text`` :math:`(N, D_t)`; ``labels``
            :math:`(N, C)`, ``uint8``; ``present`` :math:`(N, 2)`, ``bool``;
            ``label_vectors`` :math:`(C, F)`. A sparse ``text`` or ``labels`` is given by its CSR parts instead, such as
            ``text_data`` (E,), ``text_indices`` (E,), ``text_indptr`` (N + 1,).
        shapes: Shape of ``text`` or ``labels`` by name, if it is sparse.
        splits: Index vectors by name.
        label_names: The :math:`C` names.
        ids: Ids of the items.
        titles: Titles of the items, shown in results.
        encoders: Settings of the encoders that extracted the features from raw files, by side.

    Yields:
        The arrays by name, for the caller to fill.

    Raises:
        ValueError: If ``path`` exists and is not a data folder, or the name of an array is unknown.
        OSError: If the disk is full or the folder is not writable.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from labelgraph.data import folder_writer, load_folder
        >>> path, size = Path(tempfile.mkdtemp()) / "mine", 1000
        >>> kinds = {"image": ((size, 8), "float32"), "text": ((size, 4), "float32"), "labels": ((size, 2), "uint8")}
        >>> with folder_writer(path, kinds, splits={"train": np.arange(900)}) as arrays:
        ...     for start in range(0, size, 256):
        ...         block = slice(start, min(start + 256, size))
        ...         arrays["image"][block] = 1.0
        ...         arrays["labels"][block, 0] = 1
        >>> load_folder(path)
        CrossModalData(1000 pairs, image 8, text 4, 2 labels, splits: train 900)
    """
    path = as_path("path", path)
    known = {"image", "text", "labels", *OPTIONAL} | {f"{side}_{part}" for side in ("text", "labels") for part in PARTS}
    if unknown := set(arrays) - known:
        raise ValueError(f"'arrays' must be among {', '.join(sorted(known))} (got {', '.join(sorted(unknown))})")
    _check_replaceable(path)
    entries = {"shapes": {name: list(map(int, shape)) for name, shape in (shapes or {}).items()}}
    names = {"label_names": list(label_names), "ids": list(ids), "titles": list(titles), "encoders": encoders or {}}
    with write_version(path, KIND, entries) as writer:
        writer.write(NAMES, json.dumps(names, allow_nan=False).encode())
        for name, index in (splits or {}).items():
            rows = np.asarray(index)
            writer.array(f"{SPLITS}/{name}.npy", rows.shape, rows.dtype)[...] = rows
        yield {name: writer.array(f"{name}.npy", *array) for name, array in arrays.items()}


def _check_replaceable(path: Path) -> None:
    """Refuse a file or a folder with other content; another process may be writing the first version meanwhile."""
    if not path.exists() or (path / SETTINGS).is_file():
        return
    ours = (TEMPORARY_NAME, FILE_NAME, re.compile(re.escape(LOCK)))
    if not path.is_dir() or not all(any(kind.fullmatch(each.name) for kind in ours) for each in path.iterdir()):
        raise ValueError(f"{path}: expected a folder with {SETTINGS}, or nothing, to write to (got something else)")


def save_folder(data: CrossModalData, path: str | Path) -> None:
    """Write a data set to a folder for `load_folder`, atomically: readers see the old or the complete new version.

    Args:
        data: The data set. Labels are written as sparse parts if less than a twentieth of them is 1.
        path: The folder; one written before is replaced.

    Raises:
        ValueError: If ``path`` exists and is not a data folder.
        OSError: If the disk is full or the folder is not writable.

    Example:
        >>> import tempfile
        >>> from labelgraph.data import load_folder, load_openclipart, save_folder
        >>> path = tempfile.mkdtemp() + "/openclipart"
        >>> save_folder(load_openclipart(), path)
        >>> load_folder(path).num_labels
        71
    """
    check_pairs("data", data)
    arrays = folder_arrays(data, sparse_labels=has_sparse_labels([data]), with_present=not data.is_complete)
    sizes = {"text": (len(data), data.text_channels), "labels": (len(data), data.num_labels)}
    shapes = {name: size for name, size in sizes.items() if f"{name}_indptr" in arrays}
    kinds = {name: (array.shape, array.dtype) for name, array in arrays.items()}
    with folder_writer(
        path, kinds, shapes=shapes, splits=data.splits, label_names=data.label_names, ids=data.ids,
        titles=data.titles, encoders=data.encoders,
    ) as mapped:  # fmt: skip
        for name, array in arrays.items():
            mapped[name][...] = array


def has_sparse_labels(parts: Sequence[CrossModalData]) -> bool:
    """Whether less than a twentieth of the labels of some data sets is 1, so that they are written as sparse parts."""
    ones = sum(int(label_sums(part.labels).sum()) for part in parts)
    return not isinstance(parts[0].labels, Tensor) or ones < SPARSE_LABELS * sum(part.labels.numel() for part in parts)


def folder_arrays(data: CrossModalData, *, sparse_labels: bool, with_present: bool) -> dict[str, np.ndarray]:
    """Return the arrays of a data set by their names in a folder; those of sparse matrices are their CSR parts."""
    labels = plain_labels(data.labels)
    if sparse_labels and not sp.issparse(labels):
        labels = sp.csr_array(labels)
    arrays: dict[str, np.ndarray] = {"image": data.image.cpu().numpy()}
    for name, matrix in (("text", data.text), ("labels", labels)):
        if sp.issparse(matrix):
            arrays |= {f"{name}_{part}": getattr(matrix, part) for part in PARTS}
        else:
            arrays[name] = matrix.cpu().numpy() if isinstance(matrix, Tensor) else matrix
    if with_present:
        arrays["present"] = data.present.cpu().numpy()
    if data.label_vectors is not None:
        arrays["label_vectors"] = data.label_vectors.cpu().numpy()
    return arrays


def load_folder(path: str | Path, memory_map: bool = True) -> CrossModalData:
    r"""Read a data set from a folder that `save_folder`, `folder_writer` or another program wrote.

    Another program writes the files ``image.npy`` :math:`(N, D_v)`; ``text.npy`` :math:`(N, D_t)`, or its CSR parts
    ``text_data.npy`` (E,), ``text_indices.npy`` (E,), ``text_indptr.npy`` (N + 1,); ``labels.npy`` :math:`(N, C)`, 0 or
    1, or its CSR parts in the same way. ``present.npy`` :math:`(N, 2)`, ``label_vectors.npy`` :math:`(C, F)` and index
    vectors ``splits/NAME.npy`` are optional; the name is URL-encoded, so that ``%2F`` is a slash. ``data.json`` is an
    object with optional keys: ``shapes``, the shape of each sparse matrix, such as ``{"text": [N, D_t]}``;
    ``label_names``, ``ids`` and ``titles``, lists of texts; ``encoders``. Only this library can replace a folder while
    other processes read it. Pickled arrays are refused.

    Args:
        path: The folder.
        memory_map: Leave arrays on disk and read parts on demand. Float32 features are then mapped from the file;
            changes to them are not written to it. `False` reads all arrays and verifies their checksums.

    Raises:
        FileNotFoundError: If the folder or a file is missing.
        ValueError: If a file is damaged or shapes disagree; the message names the file.
    """
    path = as_path("path", path)
    with open_folder(path, memory_map) as folder, reading(path, "a data set"):
        arrays = {name: _matrix(folder, name) for name in ("image", "text", "labels")}
        settings = {key: folder.settings[key] for key in ("label_names", "ids", "titles", "encoders")}
        arrays |= {name: folder.array(name) for name in OPTIONAL if folder.has(name)}
        splits = {name: _index(folder.array(f"{SPLITS}/{name}")) for name in folder.split_names()}
        try:
            return CrossModalData(**arrays, splits=splits, **settings)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def _index(index: np.ndarray) -> np.ndarray:
    return index.astype(np.int64) if index.dtype.kind in "iu" else index


def _matrix(folder: OpenFolder, name: str) -> Any:
    if folder.has(name) or not folder.has(f"{name}_indptr"):
        return folder.array(name)
    shapes = folder.settings.get("shapes")
    shape = shapes.get(name) if isinstance(shapes, dict) else None
    if not isinstance(shape, list) or len(shape) != 2 or not all(type(side) is int and side > 0 for side in shape):
        raise ValueError(
            f"{folder.where}: 'shapes' must give the two sides of the sparse '{name}' (got {quoted(shape)})"
        )
    parts = {part: folder.array(f"{name}_{part}") for part in PARTS}
    if parts["indptr"].shape != (shape[0] + 1,):
        where = folder.file(f"{name}_indptr")
        raise ValueError(f"{where}: expected the shape ({shape[0] + 1},) (got {parts['indptr'].shape})")
    try:
        return csr_from_parts(name, parts["data"], parts["indices"], parts["indptr"], shape)
    except ValueError as error:
        raise ValueError(f"{folder.path}: {error}") from error
