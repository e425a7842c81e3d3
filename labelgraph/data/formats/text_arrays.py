"""Texts as arrays of numbers, for files without pickle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

BYTES, ENDS = "_utf8", "_ends"


def pack_texts(name: str, texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Texts as UTF-8 bytes, one behind the other, and where each ends: as long as the texts are, whatever the longest.

    (NumPy's own arrays of texts give each the room of the longest, and drop NUL characters at the end.)

    Args:
        name: Start of the keys.
        texts: N texts.

    Returns:
        ``NAME_utf8`` (B,), uint8, and ``NAME_ends`` (N,), int64.

    Example:
        >>> from labelgraph.data.formats.text_arrays import pack_texts, unpack_texts
        >>> arrays = pack_texts("ids", ["a", "", "bc"])
        >>> arrays["ids_ends"].tolist(), unpack_texts(arrays, "ids")
        ([1, 1, 3], ['a', '', 'bc'])
    """
    encoded = [text.encode("utf-8") for text in texts]
    ends = np.cumsum([len(each) for each in encoded], dtype=np.int64)
    return {name + BYTES: np.frombuffer(b"".join(encoded), np.uint8), name + ENDS: ends}


def unpack_texts(arrays: Mapping[str, np.ndarray], name: str) -> list[str]:
    """Undo `pack_texts`; an array ``NAME`` of texts is taken as well, and no texts where there is neither.

    Raises:
        ValueError: If the parts do not fit each other, or are no UTF-8.
    """
    if name + BYTES not in arrays and name + ENDS in arrays:
        raise KeyError(name + BYTES)
    if name + BYTES not in arrays:
        given = arrays.get(name, np.array([], dtype=str))
        if given.ndim != 1 or given.dtype.kind not in "Uiu":
            raise ValueError(f"'{name}' must be a vector of texts (got {given.dtype}, shape {given.shape})")
        return [str(each) for each in given.tolist()]
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
