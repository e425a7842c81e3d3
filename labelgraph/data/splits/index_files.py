"""Files of splits: saved with a digest of the items, or read from index files of other programs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.json_files import read_json, write_json
from labelgraph._core.multi_hot import label_bytes
from labelgraph._core.reading import one_line, quoted, reading
from labelgraph.data.formats.folder_sources import read_npy
from labelgraph.data.formats.npz_members import read_npz
from labelgraph.data.pairs import CrossModalData
from labelgraph.data.splits.split_names import split_name

FORMAT = 1
LARGEST = 1 << 30  # Largest JSON file in bytes, enough for 50 million items.
LONGEST_NUMBER = 18  # Largest number of digits of a row number.


def items_digest(data: CrossModalData) -> str:
    """SHA-256 of the ids of a data set in order; if the ids are row numbers, of the labels too."""
    digest = hashlib.sha256("\0".join(data.ids).encode())
    if data.ids == tuple(map(str, range(len(data)))):
        dense = isinstance(data.labels, Tensor)
        for array in [np.packbits(data.labels.cpu().numpy() > 0)] if dense else label_bytes(data.labels):
            digest.update(array.tobytes())
    return digest.hexdigest()


def save_splits(splits: Mapping[str, Tensor], data: CrossModalData, path: str | Path, **about: Any) -> None:
    """Write splits as JSON, with a digest of the items, atomically.

    Experiments that load the same file use the same items in each split.

    Args:
        splits: Index vectors by name.
        data: Data set that the splits index.
        path: The file.
        about: How the splits were made, as values for JSON.
    """
    rows = {name: torch.as_tensor(index).tolist() for name, index in splits.items()}
    head = {"format": FORMAT, "items": len(data), "digest": items_digest(data), "about": about}
    write_json(path, {**head, "splits": rows}, indent=None)


def load_splits(path: str | Path, data: CrossModalData) -> dict[str, Tensor]:
    """Read splits that `save_splits` wrote for the same items.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, or holds splits of other items.

    Example:
        >>> import tempfile, torch
        >>> from labelgraph.data import CrossModalData, load_splits, make_splits, save_splits
        >>> data = CrossModalData(torch.ones(9, 2), torch.ones(9, 3), torch.ones(9, 1))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_splits(make_splits(data, "uniform"), data, f"{folder}/splits.json")
        ...     sorted(load_splits(f"{folder}/splits.json", data))
        ['database', 'query', 'test', 'train', 'validation']
    """
    content = _read_json(Path(path))
    if "digest" not in content:
        raise ValueError(f"{path}: expected splits with a digest (got the keys {', '.join(content)})")
    return _rows(Path(path), _checked(Path(path), content, data), data)


def read_splits(path: str | Path, data: CrossModalData) -> dict[str, Tensor]:
    """Read splits from index files of this library or of other programs.

    Standard names such as ``train`` may be in any case; ``val``, ``valid`` and ``dev`` mean ``validation``. A ``.npz``
    or ``.json`` file holds one vector per split. A folder holds one file per split, ``NAME.npy`` or ``NAME.txt`` with
    one item per line. Integers are row numbers from 0, and strings are ids. The lines of a ``.txt`` file are ids if
    all of them are ids of the data, otherwise row numbers. For files of `save_splits`, the digest is checked.
    `complete_splits` adds splits that the files do not have.

    Args:
        path: The file or folder.
        data: Data set that the splits index.

    Raises:
        FileNotFoundError: If there is no such file, or the folder has no index files.
        ValueError: If a file is damaged, names an item that the data set does not have, or repeats an item.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in (".npy", ".txt"))
        if not files:
            raise FileNotFoundError(f"{path}: expected index files such as train.npy or train.txt (got none)")
        splits = {file.stem: _read_index(file, data) for file in files}
    elif path.suffix == ".json":
        content = _read_json(path)
        splits = _checked(path, content, data) if "digest" in content else content
    elif path.suffix == ".npz":
        splits, _ = read_npz(path)
    else:
        raise ValueError(f"{path}: expected splits as .npz, .json or a folder of .npy or .txt (got {path.suffix!r})")
    return _rows(path, splits, data)


def _rows(path: Path, splits: Mapping[str, Any], data: CrossModalData) -> dict[str, Tensor]:
    """Convert row numbers or ids of each split to row numbers."""
    place = {name: row for row, name in enumerate(data.ids)}
    rows = {}
    for spelling, items in splits.items():
        name = split_name(spelling)
        if name in rows:
            raise ValueError(f"{path}: expected the split '{name}' once (got {quoted(spelling)} too)")
        try:
            index = np.asarray(items)
        except (ValueError, OverflowError) as error:
            expected = f"{path}: {quoted(spelling)} must be a vector of row numbers or ids"
            raise ValueError(f"{expected} (got {one_line(error)})") from error
        if index.dtype.kind == "U":
            mixed = isinstance(items, list) and not all(isinstance(item, str) for item in items)
            unknown = items if mixed else [item for item in index.ravel().tolist() if item not in place]
            if unknown:
                raise ValueError(
                    f"{path}: '{name}' has {len(unknown)} ids that the data lack (first {quoted(unknown[0], 60)})"
                )
            index = np.array([place[item] for item in index.ravel().tolist()])
        if index.ndim != 1 or index.dtype.kind not in "iu" or not index.size:
            raise ValueError(
                f"{path}: '{name}' must be a vector of row numbers or ids (got {index.dtype}, {index.shape})"
            )
        if index.min() < 0 or index.max() >= len(data):
            raise ValueError(f"{path}: '{name}' must index {len(data)} items (got {index.min()} to {index.max()})")
        repeats = len(index) - len(np.unique(index))
        if repeats:
            raise ValueError(f"{path}: '{name}' must hold each item once (got {repeats} repeats)")
        rows[name] = torch.from_numpy(index.astype(np.int64))  # Training depends on the order.
    return rows


def _checked(path: Path, content: Mapping[str, Any], data: CrossModalData) -> dict[str, Any]:
    """The splits of a file that `save_splits` wrote, after checking that it was written for the same items."""
    if content.get("format") != FORMAT or not isinstance(content.get("splits"), dict):
        raise ValueError(f"{path}: expected splits of format {FORMAT} (got format {quoted(content.get('format'))})")
    if content.get("items") != len(data) or content["digest"] != items_digest(data):
        items = quoted(content.get("items"))
        raise ValueError(
            f"{path}: expected splits of these {len(data)} items (got splits of {items} items with another digest)"
        )
    return dict(content["splits"])


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of splits")
    content = read_json(path, LARGEST)
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected splits by name (got {type(content).__name__})")
    return content


def _read_index(path: Path, data: CrossModalData) -> Any:
    """Read one index vector from a ``.npy`` or ``.txt`` file."""
    if path.suffix == ".npy":
        return read_npy(path, "biufU")
    with reading(path, "row numbers or ids, one per line"):
        lines = [line.strip() for line in path.read_text(encoding="utf-8").split("\n")]
        lines = [line for line in lines if line]
        if set(lines) <= set(data.ids):
            return lines
        return np.array([_row_number(path, line) for line in lines], dtype=np.int64)


def _row_number(path: Path, line: str) -> int:
    if len(line) > LONGEST_NUMBER or not line.isascii() or not line.isdigit():
        raise ValueError(f"{path}: expected row numbers or ids of the data, one per line (got {quoted(line, 60)})")
    return int(line)
