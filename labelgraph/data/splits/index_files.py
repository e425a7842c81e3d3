"""Splits in files: saved with what they were made on, and read from index files of any origin."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.json_files import read_json, write_json
from labelgraph._core.reading import one_line, quoted, reading
from labelgraph.data.formats.folder_sources import read_npy
from labelgraph.data.formats.npz_members import read_npz
from labelgraph.data.pairs import CrossModalData
from labelgraph.data.splits.split_names import split_name

FORMAT = 1
LARGEST = 1 << 30  # Bytes of a JSON file: 50 million items.
LONGEST_NUMBER = 18  # Digits of a row number.


def items_digest(data: CrossModalData) -> str:
    """SHA-256 of the ids of a set, in their order; of the labels too, where ids are mere row numbers."""
    digest = hashlib.sha256("\0".join(data.ids).encode())
    if data.ids == tuple(map(str, range(len(data)))):
        digest.update(np.packbits(data.labels.cpu().numpy() > 0).tobytes())
    return digest.hexdigest()


def save_splits(splits: Mapping[str, Tensor], data: CrossModalData, path: str | Path, **about: Any) -> None:
    """Write splits as JSON, with a digest of the items, atomically.

    Two works that load one file onto the same items compare on the same indices.

    Args:
        splits: Index vectors by name.
        data: The set that they index.
        path: Of the file.
        about: How they were made, as plain values.
    """
    rows = {name: torch.as_tensor(index).tolist() for name, index in splits.items()}
    head = {"format": FORMAT, "items": len(data), "digest": items_digest(data), "about": about}
    write_json(path, {**head, "splits": rows}, indent=None)


def load_splits(path: str | Path, data: CrossModalData) -> dict[str, Tensor]:
    """Read what `save_splits` wrote, onto the same items.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, or was made on other items.

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
    """Read splits from index files, whoever wrote them.

    Known names, such as ``train``, are understood in any capitals; ``val``, ``valid`` and ``dev`` mean ``validation``.
    A ``.npz`` or ``.json`` file holds one vector a split; a folder holds ``NAME.npy`` or ``NAME.txt`` (one item a
    line) for each. Whole numbers are row numbers from 0, strings are ids; the lines of a ``.txt`` are ids if all
    of them are, and row numbers otherwise. What `save_splits` wrote is read too, with its check.
    `complete_splits` adds what the files do not have.

    Args:
        path: The file or folder.
        data: The set that they index.

    Raises:
        FileNotFoundError: If there is no such file, or the folder has no index files.
        ValueError: If a file is damaged, names items that the set does not have, or repeats one.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in (".npy", ".txt"))
        if not files:
            raise FileNotFoundError(f"{path}: expected index files such as train.npy or train.txt (got none)")
        found = {file.stem: _read_index(file, data) for file in files}
    elif path.suffix == ".json":
        content = _read_json(path)
        found = _checked(path, content, data) if "digest" in content else content
    elif path.suffix == ".npz":
        found, _ = read_npz(path)
    else:
        raise ValueError(f"{path}: expected splits as .npz, .json or a folder of .npy or .txt (got {path.suffix!r})")
    return _rows(path, found, data)


def _rows(path: Path, found: Mapping[str, Any], data: CrossModalData) -> dict[str, Tensor]:
    """Row numbers of items that are named by number or by id."""
    place = {name: row for row, name in enumerate(data.ids)}
    rows = {}
    for given, items in found.items():
        name = split_name(given)
        if name in rows:
            raise ValueError(f"{path}: expected the split '{name}' once (got {quoted(given)} too)")
        try:
            index = np.asarray(items)
        except (ValueError, OverflowError) as error:
            what = f"{path}: {quoted(given)} must be a vector of row numbers or ids"
            raise ValueError(f"{what} (got {one_line(error)})") from error
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
        rows[name] = torch.from_numpy(index.astype(np.int64))  # In the order of the file, which training depends on.
    return rows


def _checked(path: Path, content: Mapping[str, Any], data: CrossModalData) -> dict[str, Any]:
    """The splits of a file of ours, if it was made on the same items."""
    if content.get("format") != FORMAT or not isinstance(content.get("splits"), dict):
        raise ValueError(f"{path}: expected splits of format {FORMAT} (got format {content.get('format')})")
    if content.get("items") != len(data) or content["digest"] != items_digest(data):
        raise ValueError(
            f"{path}: expected splits of these {len(data)} items (got splits of {content.get('items')} items whose "
            "digest is another)"
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
    """One index vector from a ``.npy`` or ``.txt`` file."""
    if path.suffix == ".npy":
        return read_npy(path, "biufU")
    with reading(path, "row numbers or ids, a line each"):
        lines = [line.strip() for line in path.read_text(encoding="utf-8").split("\n")]
        lines = [line for line in lines if line]
        if set(lines) <= set(data.ids):
            return lines
        return np.array([_row_number(path, line) for line in lines], dtype=np.int64)


def _row_number(path: Path, line: str) -> int:
    if len(line) > LONGEST_NUMBER or not line.isascii() or not line.isdigit():
        raise ValueError(f"{path}: expected row numbers or ids of the data, a line each (got {quoted(line, 60)})")
    return int(line)
