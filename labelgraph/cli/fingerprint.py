"""Whether data are those of before."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import scipy.sparse as sp

from labelgraph.data import CrossModalData


def fingerprint(data: CrossModalData) -> dict[str, str]:
    """SHA-256 of all that a training reads of data, by part."""
    parts: dict[str, list[np.ndarray]] = {
        "image": [data.image.numpy()],
        "text": _csr_parts(data.text) if sp.issparse(data.text) else [data.text_rows().numpy()],
        "labels": [data.labels.numpy()],
        "label_names": [_bytes(data.label_names)],
        "present": [data.present.numpy()],
        "encoders": [_bytes(data.encoders)],
        **{name: [data.splits[name].numpy()] for name in ("train", "validation", "test") if name in data.splits},
    }
    return {name: digest(arrays) for name, arrays in parts.items()}


def _csr_parts(matrix: Any) -> list[np.ndarray]:
    return [matrix.data, matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64)]


def _bytes(content: Any) -> np.ndarray:
    return np.frombuffer(json.dumps(content, sort_keys=True).encode(), np.uint8)


def digest(arrays: list[np.ndarray]) -> str:
    """SHA-256 of arrays, with their types and shapes."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
