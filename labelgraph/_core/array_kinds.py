"""Conversion of user input to plain arrays and texts; an error names the argument."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from labelgraph._core.argument_kinds import received
from labelgraph._core.reading import quoted


def plain_array(name: str, value: Any) -> np.ndarray:
    """Convert to a NumPy array of native byte order and positive strides, without a copy where possible.

    Args:
        name: Name of the argument in error messages.
        value: An array, a nested list, a dense tensor of any device and precision, or an object with ``to_numpy``,
            such as a data frame. 16-bit floats become float32.

    Raises:
        ValueError: If ``value`` is a masked array, has no order (such as a set), or has rows of different lengths.

    Example:
        >>> import numpy as np
        >>> from labelgraph._core.array_kinds import plain_array
        >>> plain_array("image", np.array([1, 2], dtype=">i4")[::-1]).tolist()
        [2, 1]
    """
    if isinstance(value, np.ma.MaskedArray):
        raise ValueError(f"'{name}' must have no masked values (got a masked array); fill the masked values first")
    if value is None or isinstance(value, set | frozenset | Mapping | str | bytes):
        raise ValueError(f"'{name}' must be an array or a list (got {received(value)})")
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        array = (value.float() if value.dtype in (torch.bfloat16, torch.float16) else value).resolve_conj().numpy()
    else:
        try:
            array = np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value)
        except (ValueError, TypeError) as error:
            raise ValueError(f"'{name}' must be an array or a list of rows of equal length (got {error})") from error
    if array.dtype.kind == "f" and array.dtype.itemsize == 2:
        array = array.astype(np.float32)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return np.ascontiguousarray(array) if any(stride < 0 for stride in array.strides) else array


def as_sparse(name: str, matrix: Any) -> sp.csr_array:
    """Copy a dense or sparse matrix of NumPy, SciPy or torch into a SciPy CSR array.

    Raises:
        ValueError: If ``matrix`` is not two-dimensional or does not hold real numbers.
    """
    if isinstance(matrix, Tensor) and matrix.layout == torch.sparse_csr and matrix.ndim == 2:
        parts = (matrix.detach().values(), matrix.col_indices(), matrix.crow_indices())
        matrix = sp.csr_array(tuple(plain_array(name, part) for part in parts), shape=tuple(matrix.shape))
    elif isinstance(matrix, Tensor) and matrix.layout != torch.strided:
        coo = matrix.detach().cpu().to_sparse_coo().coalesce()
        values = plain_array(name, coo.values())
        matrix = sp.coo_array((values, tuple(coo.indices().numpy())), shape=tuple(coo.shape))
    elif not sp.issparse(matrix):
        matrix = plain_array(name, matrix)
    if matrix.ndim != 2:
        raise ValueError(f"'{name}' must be a matrix (got shape {tuple(matrix.shape)})")
    if matrix.dtype.kind not in "biuf":
        kind = "real numbers" if matrix.dtype.kind == "c" else "a matrix of numbers"
        raise ValueError(f"'{name}' must be {kind} (got {matrix.dtype})")
    if sp.issparse(matrix) and not matrix.dtype.isnative:
        matrix = matrix.astype(matrix.dtype.newbyteorder("="))
    return sp.csr_array(matrix, copy=True)


def as_texts(name: str, values: Iterable[Any]) -> tuple[str, ...]:
    """Convert values to texts; whole numbers are written without a decimal point.

    Args:
        name: Name of the argument in error messages.
        values: A list, an array or a tensor.

    Raises:
        ValueError: If ``values`` is a single text, or an entry is missing (None or NaN), bytes or a collection.

    Example:
        >>> import torch
        >>> from labelgraph._core.array_kinds import as_texts
        >>> as_texts("ids", torch.tensor([12, 3])), as_texts("ids", ["a", 2.0])
        (('12', '3'), ('a', '2'))
    """
    if isinstance(values, str | bytes | Mapping | set | frozenset):
        raise ValueError(f"'{name}' must be a list of texts (got {quoted(values, 60)})")
    plain = values.tolist() if hasattr(values, "tolist") else values
    plain = list(plain) if isinstance(plain, Iterable) else plain
    if not isinstance(plain, list):
        raise ValueError(f"'{name}' must be a list of texts (got {quoted(plain, 60)})")
    return tuple(
        value if type(value) is str and value.isascii() else _text(name, row, value) for row, value in enumerate(plain)
    )


def _text(name: str, row: int, value: Any) -> str:
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    missing = value is None or (isinstance(value, float) and value != value)
    if missing or (isinstance(value, bytes | bytearray | Collection) and not isinstance(value, str)):
        value_text = "a missing value" if missing else quoted(value, 60)
        raise ValueError(f"'{name}' must be texts (got {value_text} at {row})")
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError(f"'{name}' must be Unicode texts (got {text!a} at {row})") from None
    return text


def all_distinct(values: Sequence[str]) -> bool:
    """Return whether no text occurs twice. To sort the hashes of a million texts takes a fifth of the time of a dict.

    Example:
        >>> from labelgraph._core.array_kinds import all_distinct
        >>> all_distinct(["a", "b"]), all_distinct(["a", "b", "a"])
        (True, False)
    """
    hashes = np.fromiter(map(hash, values), np.int64, len(values))
    hashes.sort()
    return bool((hashes[1:] != hashes[:-1]).all()) or len(set(values)) == len(values)


def check_distinct(name: str, values: Sequence[str]) -> None:
    """Check that no text occurs twice.

    Raises:
        ValueError: If a text occurs twice; the message names the first such text and its two positions.
    """
    if all_distinct(values):
        return
    first: dict[str, int] = {}
    for row, value in enumerate(values):
        if first.setdefault(value, row) != row:
            where = f"entries {first[value]} and {row}"
            raise ValueError(f"'{name}' must be distinct (got {quoted(value, 60)} twice); see {where}")
