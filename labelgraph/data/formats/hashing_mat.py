"""Reader of the MATLAB files of hashing papers: features, labels, splits and raw pictures."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.checks import sparse_if_mostly_zero
from labelgraph._core.reading import reading
from labelgraph.data.formats.folder_sources import read_npy
from labelgraph.data.formats.matlab import (
    READABLE,
    check_storage,
    find_key,
    has_matlab_axes,
    mat_variables,
    mat_version,
    open73,
    read_mat,
)
from labelgraph.data.pairs import CrossModalData
from labelgraph.data.splits.strategies import complete_splits

PART = re.compile(r"(?P<set>.+?)-[ifxyl]all(-.*)?\.mat", re.IGNORECASE)
IMAGE, TEXT, LABELS, PICTURES = ("FAll", "XAll"), ("YAll",), ("LAll",), ("IAll",)
PARAM = "param"


def load_hashing_files(
    path: str | Path,
    *,
    image: Any = None,
    text: Any = None,
    label_names: Sequence[str] = (),
    train: int = 10_000,
    seed: int = 0,
) -> CrossModalData:
    r"""Read the data set of a hashing paper from its MATLAB files, version 5 or 7.3.

    The files are called as ``mirflickr25k-{iall,fall,yall,lall}.mat`` or ``nus-wide-tc10-{iall,xall,yall,lall}.mat``.
    A single file such as ``COCO.mat``, with its texts in a ``.npy`` file in the same folder, is read too. Arrays are
    found by their keys in any of the files: image features ``FAll`` or ``XAll`` :math:`(N, D_v)`; text features
    ``YAll`` :math:`(N, D_t)`, of which a bag of words stays sparse; labels 0 or 1 ``LAll`` :math:`(N, C)`.

    Raw pictures, ``IAll``, are not read. Extract their features batch by batch with
    ``extract(EfficientNetLite0(), MatPictures(file)).features`` of `labelgraph.encoders`, and pass them as ``image``.

    The struct ``param`` of a file of version 7.3 gives the splits: ``indexQuery`` or ``indexTest``, ``indexDatabase``
    or ``indexRetrieval``, ``indexTrain``. Indices count from 0 if a 0 is among them, otherwise from 1 as in MATLAB.

    Args:
        path: The folder, or one of the files.
        image: Image features, shape :math:`(N, D_v)`, instead of the features in the files.
        text: Text features, shape :math:`(N, D_t)`, or the path of a ``.npy`` file with text features.
        label_names: The :math:`C` names; by default ``label 0``, ``label 1``, ...
        train: Number of training items to draw from the database if ``param`` has no training split. The default is
            the number in published work.
        seed: Seed of this random choice.

    Returns:
        The pairs; without splits if there is no ``param``, since each paper draws its own splits.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If the files are damaged, belong to several data sets or lack an array, or shapes disagree.
        ImportError: If a file is of version 7.3 and h5py is not installed.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from scipy.io import savemat
        >>> from labelgraph.data import load_hashing_files
        >>> folder = Path(tempfile.mkdtemp())
        >>> for part, width in (("FAll", 4), ("YAll", 6), ("LAll", 2)):
        ...     savemat(folder / f"mirflickr25k-{part.lower()}.mat", {part: np.ones((5, width))})
        >>> load_hashing_files(folder, label_names=["sky", "sea"])
        CrossModalData(5 pairs, image 4, text 6, 2 labels)
    """
    if train < 1:
        raise ValueError(f"'train' must be at least 1 (got {train})")
    path = Path(path)
    keys = _keys(set_files(path))
    labels = _read(path, keys, LABELS, "labels")
    if image is None:
        image = _read(path, keys, IMAGE, "image features")
    if text is None or isinstance(text, str | Path):
        text = _text(path, keys, text)
    splits = _splits(path, keys, labels.shape[0], train, seed)
    try:
        return CrossModalData(image, sparse_if_mostly_zero(text), labels, label_names, splits)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def set_files(path: Path) -> list[Path]:
    """Files of one data set: files that share a prefix, or a single file."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    folder = path if path.is_dir() else path.parent
    sets: dict[str, list[Path]] = {}
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() == ".mat")
    for file in files:
        if part := PART.fullmatch(file.name):
            sets.setdefault(part["set"].lower(), []).append(file)
    if path.is_file():
        part = PART.fullmatch(path.name)
        return sets[part["set"].lower()] if part else [path]
    sets = sets or {file.name: [file] for file in files}
    if len(sets) != 1:
        raise ValueError(f"{path}: expected the files of one set; name one of them (got {', '.join(sets) or 'none'})")
    return next(iter(sets.values()))


def _keys(files: list[Path]) -> dict[str, list[Path]]:
    """Files that hold each key, by the key in lower case."""
    keys: dict[str, list[Path]] = {}
    for file in files:
        for name in mat_variables(file):
            keys.setdefault(name.casefold(), []).append(file)
    return keys


def _read(path: Path, keys: dict[str, list[Path]], names: Sequence[str], description: str) -> Any:
    matches = [(name, file) for name in names for file in keys.get(name.casefold(), [])]
    if len(matches) == 1:
        return read_mat(matches[0][1], matches[0][0])
    wanted = " or ".join(f"'{name}'" for name in names)
    if matches:
        raise ValueError(
            f"{path}: expected one array {wanted} (got {', '.join(f'{n} in {f.name}' for n, f in matches)})"
        )
    pictures = any(name.casefold() in keys for name in PICTURES)
    advice = (
        "; make features of the raw pictures 'IAll' first, labelgraph.encoders.extract(EfficientNetLite0(), "
        "MatPictures(FILE)).features, and give them to load_hashing_files as 'image'"
    )
    raise ValueError(
        f"{path}: expected the {description} {wanted} (got {', '.join(sorted(keys)) or 'none'})"
        f"{advice if pictures and names is IMAGE else ''}"
    )


def _text(path: Path, keys: dict[str, list[Path]], file: str | Path | None) -> Any:
    """Read the texts from the MATLAB files, or from the only ``.npy`` file in their folder."""
    if file is None:
        if any(name.casefold() in keys for name in TEXT):
            return _read(path, keys, TEXT, "texts")
        folder = path if path.is_dir() else path.parent
        arrays = sorted(folder.glob("*.npy"))
        if len(arrays) != 1:
            raise ValueError(
                f"{path}: expected the texts 'YAll' or one .npy file beside it; give its path as 'text' "
                f"(got {', '.join([*sorted(keys), *(array.name for array in arrays)]) or 'none'})"
            )
        file = arrays[0]
    return read_npy(Path(file))


def _splits(path: Path, keys: dict[str, list[Path]], size: int, train: int, seed: int) -> dict[str, Tensor]:
    """Splits from the struct ``param``, if a file has one."""
    files = keys.get(PARAM, [])
    if len(files) > 1:
        raise ValueError(f"{path}: expected one '{PARAM}' (got one in {', '.join(file.name for file in files)})")
    variables = mat_variables(files[0]) if files else {}
    key = find_key(files[0], variables, PARAM) if files else ""
    if not files or variables[key][0] != "struct":
        return {}
    if mat_version(files[0]) == "5":
        warnings.warn(f"{files[0]}: '{key}' of a MATLAB 5 file is not read; -v7.3 files give splits", stacklevel=3)
        return {}
    return mat_splits(files[0], key, size, train, seed)


FIELDS = {
    "indextrain": "train", "indexquery": "query", "indextest": "query", "indexdatabase": "database",
    "indexretrieval": "database",
}  # fmt: skip


def mat_splits(path: Path, key: str, size: int, train: int, seed: int) -> dict[str, Tensor]:
    """Read splits from a struct of index vectors; empty if no field is a split.

    Indices count from 0 if a 0 is among them, otherwise from 1 as in MATLAB.

    Args:
        path: The file, of version 7.3.
        key: Name of the struct.
        size: Number of items.
        train: Number of training items to draw from the database if the struct has no training split.
        seed: Seed of this random choice.

    Raises:
        ValueError: If the struct cannot be read, or a field does not hold distinct indices.
    """
    with reading(path, READABLE):
        indices = _indices(path, key)
    first = 0 if any((index == 0).any() for index in indices.values()) else 1
    for name, index in indices.items():
        if index.min() < first or index.max() >= size + first or len(np.unique(index)) < len(index):
            raise ValueError(
                f"{path}: the indices of '{name}' in '{key}' must be distinct, {first} to {size - 1 + first} "
                f"(got {len(np.unique(index))} of {len(index)}, {index.min()} to {index.max()})"
            )
    return _completed({name: index - first for name, index in indices.items()}, size, train, seed)


def _indices(path: Path, key: str) -> dict[str, np.ndarray]:
    with open73(path) as file:
        return {name: _vector(file[key], field) for field, name in _fields(file[key]).items()}


def _fields(group: Any) -> dict[str, str]:
    """Names of splits, by the field of a struct that holds them."""
    names = {field: FIELDS[field.casefold()] for field in group if field.casefold() in FIELDS}
    if len(set(names.values())) < len(names):
        raise ValueError(f"'{group.name}' must have one field for each split (got {', '.join(names)})")
    return names


def _vector(group: Any, field: str) -> np.ndarray:
    """Read the integers of a field; all its axes but one have size 1."""
    import h5py

    item: Any = group[field] if isinstance(group.get(field, getlink=True), h5py.HardLink) else None
    numbers = isinstance(item, h5py.Dataset) and item.dtype.kind in "iuf"
    if not numbers or not item.shape or not 0 < item.size == max(item.shape):
        raise ValueError(f"'{group.name}' must have a vector of numbers '{field}' (got {item})")
    check_storage(item)
    values = item[()].ravel()
    with np.errstate(invalid="ignore"):
        whole: np.ndarray = values.astype(np.int64)
    if (whole != values).any():
        raise ValueError(f"'{group.name}' must have whole numbers in '{field}' (got others)")
    return whole


def _completed(indices: dict[str, np.ndarray], size: int, train: int, seed: int) -> dict[str, Tensor]:
    """Add missing splits: the database is all items but the queries, and training items are drawn from it."""
    if "database" not in indices and "query" in indices:
        indices["database"] = np.setdiff1d(np.arange(size), indices["query"])
    if "train" not in indices and "database" in indices:
        indices["train"] = np.random.default_rng(seed).permutation(indices["database"])[:train]
    return complete_splits({name: torch.from_numpy(np.sort(index)) for name, index in indices.items()})


class MatPictures:
    """The pictures of a hashing set, such as ``IAll`` of ``mirflickr25k-iall.mat``, read in blocks.

    The array has the shape (N, 3, H, W) or (H, W, 3, N) as MATLAB shows it, with values of any type. The file must be
    of version 7.3, because arrays of version 5 can only be read as a whole. The file is opened for each block, so
    that a `MatPictures` can be sent to other processes.

    Args:
        path: The file.
        key: Name of the array, in any case.

    Attributes:
        shape: Shape of the stack of pictures, (N, 3, H, W).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or of version 5, or the array is not a stack of pictures.
        ImportError: If h5py is not installed.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import h5py, numpy as np
        >>> from labelgraph.data import MatPictures
        >>> path = Path(tempfile.mkdtemp()) / "mirflickr25k-iall.mat"
        >>> with h5py.File(path, "w") as file:
        ...     file["IAll"] = np.zeros((5, 3, 6, 8), dtype=np.uint8)
        >>> pictures = MatPictures(path)
        >>> pictures.shape, pictures[[4, 0]].shape
        ((5, 3, 6, 8), (2, 3, 6, 8))
    """

    def __init__(self, path: str | Path, key: str = "IAll") -> None:
        self.path = Path(path)
        if mat_version(self.path) == "5":
            raise ValueError(
                f"{self.path}: '{key}' cannot be read block by block from a MATLAB 5 file; save it again by -v7.3"
            )
        variables = mat_variables(self.path)
        self.key = find_key(self.path, variables, key)
        kind, shape = variables[self.key]
        if len(shape) == 4 and shape[1] == 3 and 0 not in shape:
            self._axes = (0, 1, 2, 3)
        elif len(shape) == 4 and shape[2] == 3 and 0 not in shape:
            self._axes = (3, 2, 0, 1)
        else:
            raise ValueError(
                f"{self.path}: '{self.key}' must have the shape (N, 3, H, W) or (H, W, 3, N) "
                f"(got class {kind}, shape {shape})"
            )
        self.shape = tuple(shape[axis] for axis in self._axes)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read pictures by a slice or row numbers in any order, shape (B, 3, H, W), in the type of the file."""
        rows = np.arange(len(self))[index]
        distinct, places = np.unique(rows, return_inverse=True)
        try:
            with open73(self.path) as file:
                return self._read(file[self.key], distinct)[places.reshape(rows.shape)]
        except (OSError, RuntimeError, KeyError, TypeError) as error:
            raise ValueError(f"{self.path}: '{self.key}' cannot be read (got {error})") from error

    @property
    def names(self) -> list[str]:
        """Names of the pictures, from file, key and row."""
        return [f"{self.path} {self.key}[{row}]" for row in range(len(self))]

    def _read(self, dataset: Any, rows: np.ndarray) -> np.ndarray:
        check_storage(dataset)
        turned = has_matlab_axes(dataset)
        where = 3 - self._axes[0] if turned else self._axes[0]
        block = dataset[tuple(rows if axis == where else slice(None) for axis in range(4))]
        return (block.T if turned else block).transpose(self._axes)

    def blocks(self, size: int = 256) -> Iterator[np.ndarray]:
        """Yield all pictures in order, ``size`` at a time."""
        if size < 1:
            raise ValueError(f"'size' must be at least 1 (got {size})")
        for start in range(0, len(self), size):
            yield self[start : start + size]
