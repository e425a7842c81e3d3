"""SHA-256 of bytes, files, arrays and JSON values, as hexadecimal text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

if TYPE_CHECKING:
    import numpy as np


def sha256_bytes(*parts: bytes | memoryview | mmap) -> str:
    """SHA-256 of bytes, which may be given in parts.

    Example:
        >>> from labelgraph._core.digests import sha256_bytes
        >>> sha256_bytes(b"")[:16]
        'e3b0c44298fc1c14'
        >>> sha256_bytes(b"a", b"b") == sha256_bytes(b"ab")
        True
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def sha256_file(file: str | Path | BinaryIO) -> str:
    """SHA-256 of a file, read in blocks. An open file is read from its start."""
    if isinstance(file, (str, Path)):
        with Path(file).open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    file.seek(0)
    return hashlib.file_digest(cast(Any, file), "sha256").hexdigest()


def sha256_arrays(arrays: Iterable[np.ndarray]) -> str:
    """SHA-256 of arrays with their types and shapes.

    Raises:
        TypeError: If an array holds Python objects, because NumPy only stores their addresses.

    Example:
        >>> import numpy as np
        >>> from labelgraph._core.digests import sha256_arrays
        >>> sha256_arrays([np.zeros((2, 3))]) == sha256_arrays([np.zeros((3, 2))])
        False
    """
    import numpy as np

    digest = hashlib.sha256()
    for array in arrays:
        if array.dtype.hasobject:
            raise TypeError(f"'arrays' must hold numbers or texts (got an array of type {array.dtype})")
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def sha256_json(value: Any) -> str:
    """SHA-256 of a JSON value; the order of keys and the layout of the text do not matter.

    Example:
        >>> from labelgraph._core.digests import sha256_json
        >>> sha256_json({"a": 1, "b": 2}) == sha256_json({"b": 2, "a": 1})
        True
    """
    return sha256_bytes(json.dumps(value, sort_keys=True, allow_nan=False).encode())
