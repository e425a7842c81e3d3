"""Splits in files: saved with what they were made on, and read from index files of any origin."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelgraph.data.formats.npy_folder import check_npz_sizes, read_npy
from labelgraph.data.pairs import CrossModalData

FORMAT = 1


def items_digest(data: CrossModalData) -> str:
    """SHA-256 of the ids of a set, in their order; of the labels too, where ids are mere row numbers."""
    digest = hashlib.sha256("\0".join(data.ids).encode())
    if data.ids == tuple(map(str, range(len(data)))):
        digest.update(np.packbits(data.labels.numpy() > 0).tobytes())
    return digest.hexdigest()


def save_splits(splits: Mapping[str, Tensor], data: CrossModalData, path: str | Path, **about: Any) -> None:
    """Write splits as JSON, with a digest of the items, beside and then renamed.

    Two works that load one file onto the same items compare on the same indices.

    Args:
        splits: Index vectors by name.
        data: The set that they index.
        path: Of the file.
        about: How they were made, as plain values.
    """
    path = Path(path)
    rows = {name: torch.as_tensor(index).tolist() for name, index in splits.items()}
    head = {"format": FORMAT, "items": len(data), "digest": items_digest(data), "about": about}
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps({**head, "splits": rows}) + "\n", encoding="utf-8")
    beside.replace(path)


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
        found = _read_npz(path)
    else:
        raise ValueError(f"{path}: expected splits as .npz, .json or a folder of .npy or .txt (got {path.suffix!r})")
    return _rows(path, found, data)


def _rows(path: Path, found: Mapping[str, Any], data: CrossModalData) -> dict[str, Tensor]:
    """Row numbers of items that are named by number or by id."""
    place = {name: row for row, name in enumerate(data.ids)}
    rows = {}
    for name, items in found.items():
        try:
            index = np.asarray(items)
        except ValueError as error:
            raise ValueError(f"{path}: '{name}' must be a vector of row numbers or ids (got {error})") from error
        if index.dtype.kind == "U":
            unknown = [item for item in index.ravel().tolist() if item not in place]
            if unknown:
                raise ValueError(f"{path}: '{name}' has {len(unknown)} ids that the data lack (first {unknown[0]!r})")
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
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected JSON (got {error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected splits by name (got {type(content).__name__})")
    return content


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of splits")
    try:
        check_npz_sizes(path)
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # NumPy and zipfile have many kinds of error for one cause: a damaged file.
        raise ValueError(f"{path}: expected a readable .npz without pickled arrays (got {error})") from error


def _read_index(path: Path, data: CrossModalData) -> np.ndarray:
    """One index vector from a ``.npy`` or ``.txt`` file."""
    if path.suffix == ".npy":
        return read_npy(path, "biufU")
    try:
        lines = np.array(path.read_text(encoding="utf-8").split("\n"))
        lines = np.char.strip(lines)
        lines = lines[lines != ""]
        return lines if set(lines.tolist()) <= set(data.ids) else lines.astype(np.int64)
    except (ValueError, OSError) as error:
        raise ValueError(f"{path}: expected row numbers or ids (got {error})") from error
