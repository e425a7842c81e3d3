"""A digest of what a reader gave, whatever it is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from benchmarks.fuzz.public_names import CrossModalData

# What time or the machine decide.
VOLATILE = {"train_seconds", "epoch_seconds", "seconds", "peak_bytes", "memory"}
PARTS = ("image", "text", "labels", "label_names", "splits", "ids", "titles", "present", "encoders")


def content_digest(value: Any) -> str:
    """SHA-256 of a value made of arrays, tensors, data sets, dataclasses, containers and plain values.

    Example:
        >>> from benchmarks.fuzz.content import content_digest
        >>> content_digest({"a": [1, 2]}) == content_digest({"a": [1, 2.0]})
        False
    """
    digest = hashlib.sha256()
    for part in _parts(value):
        digest.update(part)
        digest.update(b"\0")
    return digest.hexdigest()


def _parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, torch.Tensor):
        value = value.detach().numpy()
    if sp.issparse(value):
        matrix = sp.csr_array(value)
        matrix.sort_indices()
        yield from _parts([matrix.shape, matrix.data, matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64)])
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype} {value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif isinstance(value, CrossModalData):
        yield from _parts({name: getattr(value, name) for name in PARTS})
    elif is_dataclass(value):
        yield from _parts({each.name: getattr(value, each.name) for each in fields(value)})
    elif isinstance(value, Mapping):
        for key in sorted(value, key=repr):
            if key not in VOLATILE:
                yield repr(key).encode()
                yield from _parts(value[key])
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        yield f"{len(value)}".encode()
        for item in value:
            yield from _parts(item)
    else:
        yield repr(value.name if isinstance(value, Path) else value).encode()
