"""The MATLAB files of the hashing sets: MIRFlickr-25K, NUS-WIDE and MS-COCO."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from labelgraph.data.container import CrossModalData
from labelgraph.data.mat_splits import mat_splits
from labelgraph.data.matlab import find_key, mat_variables, mat_version, read_mat
from labelgraph.data.npy import read_npy
from labelgraph.data.sparse import sparse_if_mostly_zero

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
    r"""Read a hashing set from its MATLAB files, version 5 or 7.3.

    Files such as ``mirflickr25k-{iall,fall,yall,lall}.mat`` and ``nus-wide-tc10-{iall,xall,yall,lall}.mat``,
    or one such as ``COCO.mat`` with its texts in a ``.npy`` beside it. Arrays are found by their keys, whatever
    file they are in: ``FAll`` or ``XAll`` :math:`(N, D_v)` image features, ``YAll`` :math:`(N, D_t)` texts (a bag
    of words stays sparse), ``LAll`` :math:`(N, C)` labels 0 or 1. ``IAll``, raw pictures, is not read: hand
    in features of it, ``extract(EfficientNetLite0(), MatPictures(file)).features``, made batch by batch by
    `labelgraph.features`. The struct ``param`` of a file of version 7.3 gives the splits: ``indexQuery`` or
    ``indexTest``, ``indexDatabase`` or ``indexRetrieval``, ``indexTrain``, which count from 0 if a 0 is among them, and
    otherwise from 1 as MATLAB does.

    Args:
        path: The folder, or one of the files.
        image: Image features, shape :math:`(N, D_v)`, instead of those of the files.
        text: Text features, shape :math:`(N, D_t)`, or the path of a ``.npy`` file with them.
        label_names: The :math:`C` names; by default ``label 0``, ``label 1``, ...
        train: Items to draw from the database for training, where ``param`` gives a database alone; by default as
            many as published works take.
        seed: Of that draw.

    Returns:
        The pairs, without splits where there is no ``param``: each work draws its own.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If the files are damaged, of several sets, lack an array, or shapes disagree.
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
    """The files of one set: those that begin alike, or a file that stands alone."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    folder = path if path.is_dir() else path.parent
    found: dict[str, list[Path]] = {}
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() == ".mat")
    for file in files:
        if part := PART.fullmatch(file.name):
            found.setdefault(part["set"].lower(), []).append(file)
    if path.is_file():
        part = PART.fullmatch(path.name)
        return found[part["set"].lower()] if part else [path]
    found = found or {file.name: [file] for file in files}
    if len(found) != 1:
        raise ValueError(f"{path}: expected the files of one set; name one of them (got {', '.join(found) or 'none'})")
    return next(iter(found.values()))


def _keys(files: list[Path]) -> dict[str, list[Path]]:
    """The files that each key is in, by the key in lower case."""
    keys: dict[str, list[Path]] = {}
    for file in files:
        for name in mat_variables(file):
            keys.setdefault(name.casefold(), []).append(file)
    return keys


def _read(path: Path, keys: dict[str, list[Path]], names: Sequence[str], what: str) -> Any:
    found = [(name, file) for name in names for file in keys.get(name.casefold(), [])]
    if len(found) == 1:
        return read_mat(found[0][1], found[0][0])
    wanted = " or ".join(f"'{name}'" for name in names)
    if found:
        raise ValueError(f"{path}: expected one array {wanted} (got {', '.join(f'{n} in {f.name}' for n, f in found)})")
    pictures = any(name.casefold() in keys for name in PICTURES)
    advice = (
        "; make features of the raw pictures 'IAll' first, labelgraph.features.extract(EfficientNetLite0(), "
        "MatPictures(FILE)).features, and give them to load_hashing_files as 'image'"
    )
    raise ValueError(
        f"{path}: expected the {what} {wanted} (got {', '.join(sorted(keys)) or 'none'})"
        f"{advice if pictures and names is IMAGE else ''}"
    )


def _text(path: Path, keys: dict[str, list[Path]], file: str | Path | None) -> Any:
    """Texts of the files themselves, or of the only ``.npy`` beside them."""
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
    """The splits that a file gives in its struct."""
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
