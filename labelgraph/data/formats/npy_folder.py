"""The library's own folder of ``.npy`` files: data larger than memory, mapped where it lies."""

from __future__ import annotations

import json
import math
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import scipy.sparse as sp
from torch import Tensor

from labelgraph.data.pairs import CrossModalData

DEFLATE_RATIO = 1032  # More than that no compressed byte can stand for.
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npy(path: Path, kinds: str = "biuf") -> np.ndarray:
    """Map a ``.npy`` file: nothing is read yet, and changes stay in memory.

    Args:
        path: The file.
        kinds: Of types that are expected: those of numbers, ``"U"`` for texts.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, smaller than its header declares, or of another kind.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such .npy file")
    try:
        array = np.load(path, mmap_mode="c", allow_pickle=False)
    except Exception as error:  # A damaged header fails in many ways; all of them are one to the user.
        raise ValueError(f"{path}: expected a readable .npy file without pickled arrays (got {error})") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in kinds:
        what = "numbers or texts" if "U" in kinds else "numbers"
        raise ValueError(f"{path}: expected an array of {what} (got {getattr(array, 'dtype', 'an archive')})")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def check_npz_sizes(path: Path) -> None:
    """Refuse a ``.npz`` file whose arrays declare more than it can hold; NumPy would set their memory aside.

    Raises:
        ValueError: If so.
    """
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            room = min(member.file_size, min(member.compress_size, size) * DEFLATE_RATIO)
            with archive.open(member) as file:
                header = HEADERS.get(np.lib.format.read_magic(file))
                if header is None:
                    raise ValueError(f"'{member.filename}' is of an unknown version")
                shape, _, dtype = header(file)
            if not dtype.hasobject and math.prod(shape) * dtype.itemsize > room:
                raise ValueError(
                    f"'{member.filename}' declares {dtype} {shape} where the file has room for {room} bytes"
                )


SETTINGS, SPLITS = "data.json", "splits"
FORMAT, VERSION = "labelgraph folder", 1
SPARSE_LABELS = 0.05  # Share of ones under which labels are written as sparse parts.
PARTS = ("data", "indices", "indptr")


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
    r"""Write a folder for `load_folder` block by block, without holding it.

    The arrays lie on disk while they are filled. All is written beside and renamed at the end of the ``with``;
    after an error nothing is left of it, and a folder that was there before stays.

    Args:
        path: The folder; one written before is replaced.
        arrays: Shape and type by name: ``image`` :math:`(N, D_v)`; ``text`` :math:`(N, D_t)`; ``labels``
            :math:`(N, C)`, ``uint8``; ``present`` :math:`(N, 2)`, ``bool``. A sparse ``text`` or ``labels`` is given
            by its CSR parts instead, such as ``text_data`` (E,), ``text_indices`` (E,), ``text_indptr`` (N + 1,).
        shapes: Of ``text`` or ``labels``, where it is sparse.
        splits: Index vectors by name.
        label_names: The :math:`C` names.
        ids: What users call the items.
        titles: What to show of the items.
        encoders: How features were made from raw files.

    Yields:
        The arrays by name, to be filled.

    Raises:
        ValueError: If ``path`` is something else than such a folder, or an array has no such name.

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
    path = Path(path)
    known = {"image", "text", "labels", "present"} | {f"{side}_{part}" for side in ("text", "labels") for part in PARTS}
    if unknown := set(arrays) - known:
        raise ValueError(f"'arrays' must be among {', '.join(sorted(known))} (got {', '.join(sorted(unknown))})")
    if path.exists() and not (path / SETTINGS).is_file():
        raise ValueError(f"{path}: expected a folder with {SETTINGS}, or nothing, to write to (got something else)")
    settings = {
        "format": FORMAT, "version": VERSION, "shapes": {name: list(shape) for name, shape in (shapes or {}).items()},
        "label_names": list(label_names), "ids": list(ids), "titles": list(titles), "encoders": dict(encoders or {}),
    }  # fmt: skip
    beside = path.with_name(path.name + ".part")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        (beside / SPLITS).mkdir(parents=True)
        for name, index in (splits or {}).items():
            np.save(beside / SPLITS / f"{quote(name, safe='')}.npy", np.asarray(index))
        (beside / SETTINGS).write_text(json.dumps(settings, ensure_ascii=False), encoding="utf-8")
        mapped = {name: _create(beside / f"{name}.npy", *array) for name, array in arrays.items()}
        yield mapped
        for array in mapped.values():
            if isinstance(array, np.memmap):
                array.flush()
        _replace(beside, path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _create(path: Path, shape: Sequence[int], dtype: Any) -> np.ndarray:
    if 0 in shape:  # Nothing can be mapped of an empty file.
        np.save(path, np.zeros(tuple(shape), dtype))
        return np.load(path, allow_pickle=False)
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=tuple(map(int, shape)))


def _replace(beside: Path, path: Path) -> None:
    """A folder cannot be renamed over another: the old one steps aside first, and goes last."""
    old = path.with_name(path.name + ".old")
    if path.exists():
        shutil.rmtree(old, ignore_errors=True)
        path.rename(old)
    beside.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def save_folder(data: CrossModalData, path: str | Path) -> None:
    """Write a data set to a folder for `load_folder`, beside and then renamed: nothing is half written.

    Args:
        data: The data set. Labels of which less than a twentieth is 1 are written as sparse parts.
        path: The folder; one written before is replaced.

    Raises:
        ValueError: If ``path`` is something else than such a folder.

    Example:
        >>> import tempfile
        >>> from labelgraph.data import load_folder, load_openclipart, save_folder
        >>> path = tempfile.mkdtemp() + "/openclipart"
        >>> save_folder(load_openclipart(), path)
        >>> load_folder(path).num_labels
        71
    """
    labels: Any = data.labels.numpy().astype(np.uint8)
    if np.count_nonzero(labels) < SPARSE_LABELS * labels.size:
        labels = sp.csr_array(labels)
    arrays: dict[str, np.ndarray] = {"image": data.image.numpy()}
    shapes = {}
    for name, matrix in (("text", data.text), ("labels", labels)):
        if sp.issparse(matrix):
            shapes[name] = matrix.shape
            arrays |= {f"{name}_{part}": getattr(matrix, part) for part in PARTS}
        else:
            arrays[name] = matrix.numpy() if isinstance(matrix, Tensor) else matrix
    if not data.is_complete:
        arrays["present"] = data.present.numpy()
    kinds = {name: (array.shape, array.dtype) for name, array in arrays.items()}
    with folder_writer(
        path, kinds, shapes=shapes, splits=data.splits, label_names=data.label_names, ids=data.ids,
        titles=data.titles, encoders=data.encoders,
    ) as mapped:  # fmt: skip
        for name, array in arrays.items():
            mapped[name][...] = array


def load_folder(path: str | Path, memory_map: bool = True) -> CrossModalData:
    r"""Read a data set from a folder of ``.npy`` files and a ``data.json``.

    Files: ``image.npy`` :math:`(N, D_v)`; ``text.npy`` :math:`(N, D_t)`, or its CSR parts ``text_data.npy`` (E,),
    ``text_indices.npy`` (E,), ``text_indptr.npy`` (N + 1,); ``labels.npy`` :math:`(N, C)`, 0 or 1, or its CSR parts in
    the same way; optional ``present.npy`` :math:`(N, 2)` and ``splits/NAME.npy``, index vectors (the name as in an
    address, so that ``%2F`` is a slash). ``data.json`` is an object with the optional keys ``shapes``, that of each
    sparse matrix, such as ``{"text": [N, D_t]}``; ``label_names``, ``ids``, ``titles``, lists of texts; ``encoders``.
    Pickled arrays are refused.

    Args:
        path: The folder.
        memory_map: Leave arrays on disk, and read what is asked for. Float32 features then share the memory of
            the file (changes to them stay in memory); `False` reads all.

    Raises:
        FileNotFoundError: If the folder or a file is missing.
        ValueError: If a file is damaged or shapes disagree; the message names the file.
    """
    path = Path(path)
    settings = _settings(path)
    arrays = {name: _matrix(path, name, settings, memory_map) for name in ("image", "text", "labels")}
    present = path / "present.npy"
    splits = {unquote(file.stem): _index(file) for file in sorted((path / SPLITS).glob("*.npy"))}
    given = {key: settings[key] for key in ("label_names", "ids", "titles", "encoders") if key in settings}
    try:
        return CrossModalData(
            **arrays, splits=splits, present=_array(present, False) if present.exists() else None, **given
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _settings(path: Path) -> dict[str, Any]:
    file = path / SETTINGS
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file")
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file}: expected JSON (got {error})") from error
    if not isinstance(settings, dict) or settings.get("version", VERSION) != VERSION:
        raise ValueError(f"{file}: expected an object of version {VERSION} (got {str(settings)[:80]})")
    for key in ("label_names", "ids", "titles"):
        value = settings.get(key, [])
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise ValueError(f"{file}: '{key}' must be a list of texts (got {str(value)[:80]})")
    return settings


def _array(file: Path, memory_map: bool) -> np.ndarray:
    """An array, mapped first: its declared size is then checked against the file before anything is read."""
    array = read_npy(file)
    return array if memory_map else np.array(array)


def _index(file: Path) -> np.ndarray:
    index = _array(file, False)
    return index.astype(np.int64) if index.dtype.kind in "iu" else index


def _matrix(path: Path, name: str, settings: Mapping[str, Any], memory_map: bool) -> Any:
    if (path / f"{name}.npy").exists() or not (path / f"{name}_indptr.npy").exists():
        return _array(path / f"{name}.npy", memory_map)
    shapes = settings.get("shapes")
    shape = shapes.get(name) if isinstance(shapes, dict) else None
    if not isinstance(shape, list) or len(shape) != 2 or not all(type(side) is int and side > 0 for side in shape):
        raise ValueError(f"{path / SETTINGS}: 'shapes' must give the two sides of the sparse '{name}' (got {shape})")
    parts = [_array(path / f"{name}_{part}.npy", memory_map) for part in PARTS]
    if parts[2].shape != (shape[0] + 1,):
        raise ValueError(f"{path / f'{name}_indptr.npy'}: expected the shape ({shape[0] + 1},) (got {parts[2].shape})")
    try:
        matrix = sp.csr_array(tuple(parts), shape=tuple(shape))
        matrix.check_format(full_check=True)  # Places out of range would be followed without a look.
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{path}: '{name}' must be CSR parts of the shape {tuple(shape)} (got {error})") from error
    return matrix
