"""How sparse matrices and texts are laid out in plain arrays, for files without pickle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import scipy.sparse as sp

BYTES, ENDS = "_utf8", "_ends"


def pack_texts(name: str, texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Pack texts into one array of UTF-8 bytes and one array of end positions.

    The size is that of the texts. NumPy's own arrays of texts pad every text to the longest one, and drop NUL
    characters at the end.

    Args:
        name: Prefix of the keys.
        texts: N texts.

    Returns:
        ``NAME_utf8`` (B,), uint8, and ``NAME_ends`` (N,), int64.

    Example:
        >>> from labelgraph.data.formats.array_layouts import pack_texts, unpack_texts
        >>> arrays = pack_texts("ids", ["a", "", "bc"])
        >>> arrays["ids_ends"].tolist(), unpack_texts(arrays, "ids")
        ([1, 1, 3], ['a', '', 'bc'])
    """
    encoded = [text.encode("utf-8") for text in texts]
    ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    return {name + BYTES: np.frombuffer(b"".join(encoded), np.uint8), name + ENDS: ends}


def unpack_texts(arrays: Mapping[str, np.ndarray], name: str) -> list[str]:
    """Undo `pack_texts`.

    A plain array of texts called ``NAME`` is accepted too. If neither form is present, the list is empty.

    Raises:
        KeyError: If one of the two arrays is missing.
        ValueError: If the arrays do not fit each other, or the bytes are not UTF-8.
    """
    if name + BYTES not in arrays and name + ENDS in arrays:
        raise KeyError(name + BYTES)
    if name + BYTES not in arrays:
        plain = arrays.get(name, np.array([], dtype=str))
        if plain.ndim != 1 or plain.dtype.kind not in "Uiu":
            raise ValueError(f"'{name}' must be a vector of texts (got {plain.dtype}, shape {plain.shape})")
        return [str(text) for text in plain.tolist()]
    if name + ENDS not in arrays:
        raise KeyError(name + ENDS)
    content, ends = arrays[name + BYTES], arrays[name + ENDS]
    fits = content.ndim == ends.ndim == 1 and content.dtype == np.uint8 and ends.dtype.kind in "iu"
    whole = ends.astype(np.int64) if fits else np.zeros(0, np.int64)
    starts = np.concatenate([[0], whole])
    if not fits or (np.diff(starts) < 0).any() or starts[-1] != len(content):
        raise ValueError(f"'{name}{ENDS}' must divide the {content.size} bytes of '{name}{BYTES}' in order")
    data = content.tobytes()
    try:
        return [data[start:end].decode("utf-8") for start, end in zip(starts[:-1], whole, strict=True)]
    except UnicodeDecodeError as error:
        raise ValueError(f"'{name}{BYTES}' must be UTF-8 (got {error})") from error


def csr_from_parts(
    name: str, data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, shape: Sequence[int]
) -> sp.csr_array:
    """Build a CSR array from its parts, after checking them; no copy if their types allow it.

    Args:
        name: Name of the matrix, for error messages.
        data: Values of the entries, shape (E,).
        indices: Columns of the entries, shape (E,), integers.
        indptr: Position of the first entry of each row, shape (N + 1,), integers.
        shape: Shape of the matrix, (N, C).

    Raises:
        ValueError: If the parts do not fit each other or the shape.
    """
    problem = _problem(data, indices, indptr, tuple(shape))
    if problem:
        raise ValueError(f"'{name}' must be CSR parts of the shape {tuple(shape)} (got {problem})")
    return sp.csr_array((data, indices, indptr), shape=tuple(shape))


def _problem(data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, shape: tuple[int, ...]) -> str:
    """Describe what does not fit; empty if all fits. SciPy does not check the row order of an empty matrix."""
    if len(shape) != 2 or min(shape) < 0 or any(part.ndim != 1 for part in (data, indices, indptr)):
        return f"parts of the shapes {data.shape}, {indices.shape}, {indptr.shape}"
    if data.dtype.kind not in "biuf" or any(part.dtype.kind not in "iu" for part in (indices, indptr)):
        return f"the types {data.dtype}, {indices.dtype}, {indptr.dtype}"
    if len(indptr) != shape[0] + 1 or len(data) != len(indices):
        return f"{len(data)} values, {len(indices)} indices and an indptr of {len(indptr)}"
    if indptr[0] != 0 or indptr[-1] != len(indices) or (indptr[1:] < indptr[:-1]).any():
        return f"rows that do not cover {len(indices)} entries in order"
    if len(indices) and not (int(indices.min()) >= 0 and int(indices.max()) < shape[1]):
        return f"the column index of an entry from {indices.min()} to {indices.max()}"
    return ""
