"""The library's own data file: one ``.npz`` without pickle, read and written as `CrossModalData`."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from labelgraph.data.formats.npy_folder import check_npz_sizes
from labelgraph.data.pairs import CrossModalData

SPLIT_PREFIX = "split/"
KEYS = {
    "image", "image_codes", "image_scale", "text", "text_data", "text_indices", "text_indptr", "text_shape",
    "labels", "label_names", "ids", "titles", "present", "encoders",
}  # fmt: skip


def save_npz(data: CrossModalData, path: str | Path) -> None:
    """Write a data set to one compressed ``.npz``, beside and then renamed: nothing is half written."""
    path = Path(path)
    arrays: dict[str, Any] = {
        "image": data.image.numpy(),
        "labels": data.labels.numpy().astype(np.uint8),
        "label_names": np.array(data.label_names),
        "ids": np.array(data.ids),
        "titles": np.array(data.titles),
    }
    if isinstance(data.text, Tensor):
        arrays["text"] = data.text.numpy()
    else:
        text = data.text
        arrays |= {"text_data": text.data, "text_indices": text.indices, "text_indptr": text.indptr}
        arrays["text_shape"] = np.array(text.shape)
    if not data.is_complete:
        arrays["present"] = data.present.numpy()
    if data.encoders:
        arrays["encoders"] = np.array(json.dumps(data.encoders))
    arrays |= {SPLIT_PREFIX + name: index.numpy() for name, index in data.splits.items()}
    beside = path.with_name(path.name + ".part")
    with beside.open("wb") as file:
        np.savez_compressed(file, **arrays)
    beside.replace(path)


def load_npz(path: str | Path) -> CrossModalData:
    """Read a data set from a ``.npz`` file.

    Keys: ``labels`` (N, C); ``image`` (N, D_v), or quantised ``image_codes`` (N, D_v) with
    ``image_scale`` (D_v,); ``text`` (N, D_t), or the CSR parts ``text_data``, ``text_indices``,
    ``text_indptr``, ``text_shape``; optional ``label_names``, ``ids``, ``titles``, ``present`` (N, 2),
    ``encoders`` (JSON), and ``split/NAME`` index vectors. Numbers may be of any type, such as float16. Other keys
    are not looked at. Pickled arrays are refused.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, or a key is missing or of the wrong shape; the message names
            the file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such data file")
    try:
        check_npz_sizes(path)
        with np.load(path, allow_pickle=False) as file:
            keys = sorted(file.files)
            arrays = {key: file[key] for key in keys if key in KEYS or key.startswith(SPLIT_PREFIX)}
    except (
        ValueError, TypeError, OSError, EOFError, AttributeError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error
    ) as error:  # fmt: skip
        raise ValueError(f"{path}: expected a readable .npz file without pickled arrays (got {error})") from error
    try:
        return _from_arrays(arrays)
    except KeyError as error:
        raise ValueError(f"{path}: expected the key {error} (got {', '.join(keys) or 'none'})") from None
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error


def _from_arrays(arrays: dict[str, np.ndarray]) -> CrossModalData:
    if "image_codes" in arrays:
        codes, scale = arrays["image_codes"], arrays["image_scale"]
        if codes.ndim != 2 or scale.shape != codes.shape[1:]:
            raise ValueError(
                f"'image_scale' must have a value per column of 'image_codes' {codes.shape} (got {scale.shape})"
            )
        image = codes.astype(np.float32) * scale
    else:
        image = arrays["image"]
    text: Any
    if "text_indptr" in arrays:
        parts = (arrays["text_data"], arrays["text_indices"], arrays["text_indptr"])
        text = sp.csr_array(parts, shape=tuple(arrays["text_shape"].tolist()), dtype=np.float32)
        text.check_format()
    else:
        text = arrays["text"]
    return CrossModalData(
        image=image,
        text=text,
        labels=torch.from_numpy(arrays["labels"]),
        label_names=arrays.get("label_names", np.array([])).tolist(),
        splits={key.removeprefix(SPLIT_PREFIX): arrays[key] for key in arrays if key.startswith(SPLIT_PREFIX)},
        ids=arrays.get("ids", np.array([])).tolist(),
        titles=arrays.get("titles", np.array([])).tolist(),
        present=arrays.get("present"),
        encoders=json.loads(str(arrays.get("encoders", "{}"))),
    )
