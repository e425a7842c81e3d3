"""The library's own data file: a `CrossModalData` in one ``.npz`` without pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from torch import Tensor

from labelgraph._core.argument_kinds import as_path
from labelgraph._core.files import open_atomic
from labelgraph._core.json_files import parse_json
from labelgraph._core.multi_hot import plain_labels
from labelgraph._core.reading import one_line, reading
from labelgraph.data.formats.array_layouts import BYTES, ENDS, csr_from_parts, pack_texts, unpack_texts
from labelgraph.data.formats.npz_members import read_npz
from labelgraph.data.pairs import CrossModalData, check_pairs

SPLIT_PREFIX = "split/"
PARTS = ("data", "indices", "indptr", "shape")  # Of a CSR matrix.
TEXTS = ("label_names", "ids", "titles")
KEYS = {
    "image", "image_codes", "image_scale", "text", "labels", "present", "encoders", "label_vectors",
    *(f"{name}_{part}" for name in ("text", "labels") for part in PARTS),
    *(name + end for name in TEXTS for end in ("", BYTES, ENDS)),
}  # fmt: skip


def save_npz(data: CrossModalData, path: str | Path) -> None:
    """Write a data set to one compressed ``.npz`` file, atomically: readers see the old file or the complete new one.

    Raises:
        ValueError: If ``data`` is not a data set.
        OSError: If the disk is full or the file is not writable.
    """
    check_pairs("data", data)
    arrays: dict[str, Any] = {"image": data.image.cpu().numpy()}
    for name in TEXTS:
        arrays |= pack_texts(name, getattr(data, name))
    for name, matrix in (("text", data.text), ("labels", plain_labels(data.labels))):
        if sp.issparse(matrix):
            arrays |= {f"{name}_{part}": np.asarray(getattr(matrix, part)) for part in PARTS}
        else:
            arrays[name] = matrix.cpu().numpy() if isinstance(matrix, Tensor) else matrix
    if not data.is_complete:
        arrays["present"] = data.present.cpu().numpy()
    if data.label_vectors is not None:
        arrays["label_vectors"] = data.label_vectors.cpu().numpy()
    if data.encoders:
        arrays["encoders"] = np.array(json.dumps(data.encoders))
    arrays |= {SPLIT_PREFIX + name: index.numpy() for name, index in data.splits.items()}
    with open_atomic(as_path("path", path)) as file:
        np.savez_compressed(file, **arrays)


def load_npz(path: str | Path) -> CrossModalData:
    """Read a data set from a ``.npz`` file.

    Keys: ``image`` (N, D_v), or quantised ``image_codes`` (N, D_v) with ``image_scale`` (D_v,); ``text`` (N, D_t), or
    the CSR parts ``text_data``, ``text_indices``, ``text_indptr``, ``text_shape``; ``labels`` (N, C), or its CSR parts
    in the same way; optional ``label_names``, ``ids``, ``titles``, ``present`` (N, 2),
    ``encoders`` (JSON), ``label_vectors`` (C, F), and ``split/NAME`` index vectors. Texts such as ``ids`` may also be
    two arrays, as `save_npz` writes them: ``ids_utf8`` holds the UTF-8 bytes of all texts, and ``ids_ends`` (N,) the
    end position of each text. Numbers may be of any type, such as float16. Other keys are ignored. Pickled arrays are
    refused.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, or a key is missing or of the wrong shape; the message names
            the file.
    """
    path = as_path("path", path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such data file")
    arrays, keys = read_npz(path, lambda name: name in KEYS or name.startswith(SPLIT_PREFIX))
    with reading(path, "a data set"):
        try:
            return data_from_arrays(arrays)
        except KeyError as error:
            raise ValueError(f"{path}: expected the key {error} (got {one_line(', '.join(keys)) or 'none'})") from None
        except ValueError as error:
            raise ValueError(f"{path}: {one_line(error)}") from error


def data_from_arrays(arrays: dict[str, np.ndarray]) -> CrossModalData:
    """Build a data set from the arrays of a file, with the keys of `load_npz`.

    Raises:
        KeyError: If a key is missing.
        ValueError: If an array is of the wrong shape.
    """
    if "image_codes" in arrays:
        codes, scale = arrays["image_codes"], arrays["image_scale"]
        if codes.ndim != 2 or scale.shape != codes.shape[1:]:
            raise ValueError(
                f"'image_scale' must have a value per column of 'image_codes' {codes.shape} (got {scale.shape})"
            )
        image = codes.astype(np.float32) * scale
    else:
        image = arrays["image"]
    return CrossModalData(
        image=image,
        text=_matrix(arrays, "text"),
        labels=_matrix(arrays, "labels"),
        splits={key.removeprefix(SPLIT_PREFIX): arrays[key] for key in arrays if key.startswith(SPLIT_PREFIX)},
        present=arrays.get("present"),
        label_vectors=arrays.get("label_vectors"),
        encoders=parse_json(str(arrays.get("encoders", "{}")).encode(), "'encoders'"),
        **{name: unpack_texts(arrays, name) for name in TEXTS},
    )


def _matrix(arrays: dict[str, np.ndarray], name: str) -> Any:
    if f"{name}_indptr" not in arrays:
        return arrays[name]
    data, indices, indptr, shape = (arrays[f"{name}_{part}"] for part in PARTS)
    return csr_from_parts(name, data, indices, indptr, np.atleast_1d(shape).tolist())
