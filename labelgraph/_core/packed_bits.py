"""Binary codes as packed bits, and their Hamming distances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from labelgraph._core.array_kinds import plain_array


class NonFiniteError(ValueError):
    """A loss term, a parameter, a buffer or an embedding became NaN or infinite. The message names it."""


def pack_bits(codes: Any) -> Tensor:
    """Pack codes of -1 and 1 into bytes; the first of eight bits is the highest, as in ``numpy.packbits``.

    Args:
        codes: Codes of torch, NumPy or lists, shape (N, bits). Positive entries become 1, all other entries 0. The last
            byte is padded with 0.

    Returns:
        Packed codes, uint8, shape (N, ceil(bits / 8)).

    Raises:
        ValueError: If ``codes`` is not a matrix of numbers.
        NonFiniteError: If ``codes`` holds NaN.

    Example:
        >>> import torch
        >>> from labelgraph.metrics import pack_bits
        >>> pack_bits(torch.tensor([[1, -1, -1, -1, -1, -1, -1, 1, 1]]))
        tensor([[129, 128]], dtype=torch.uint8)
    """
    codes = _as_tensor("codes", codes)
    if codes.ndim != 2 or codes.size(1) == 0:
        raise ValueError(f"'codes' must have the shape (N, bits) (got {tuple(codes.shape)})")
    if codes.is_floating_point() and codes.isnan().any():
        raise NonFiniteError("'codes' must be numbers (got NaN)")
    bits = F.pad((codes > 0).to(torch.uint8), (0, -codes.size(1) % 8)).view(len(codes), -1, 8)
    return (bits << _shifts(codes.device)).sum(-1, dtype=torch.uint8)


def unpack_bits(packed: Any, bits: int) -> Tensor:
    """Unpack the result of `pack_bits` to codes of -1 and 1, int8, shape (N, bits).

    Args:
        packed: Packed codes of torch or NumPy, uint8, shape (N, ceil(bits / 8)).
        bits: Number of bits of a code.

    Example:
        >>> import torch
        >>> from labelgraph.metrics import unpack_bits
        >>> unpack_bits(torch.tensor([[160]], dtype=torch.uint8), 3)
        tensor([[ 1, -1,  1]], dtype=torch.int8)
    """
    packed = _as_tensor("packed", packed)
    if packed.dtype != torch.uint8 or packed.ndim != 2 or not 8 * packed.size(1) - 8 < bits <= 8 * packed.size(1):
        raise ValueError(
            f"'packed' must be bytes of shape (N, {-(-bits // 8)}) for {bits} bits "
            f"(got {packed.dtype}, {tuple(packed.shape)})"
        )
    unpacked = (packed.unsqueeze(-1) >> _shifts(packed.device)) & 1
    return unpacked.view(len(packed), -1)[:, :bits].to(torch.int8) * 2 - 1


def _as_tensor(name: str, given: Any) -> Tensor:
    if isinstance(given, Tensor):
        return given
    array = plain_array(name, given)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise ValueError(f"'{name}' must be a matrix of numbers (got {array.dtype})")
    return torch.from_numpy(array)


def _shifts(device: torch.device) -> Tensor:
    return torch.arange(7, -1, -1, dtype=torch.uint8, device=device)


def code_words(packed: Tensor) -> np.ndarray:
    """Convert packed codes to words, (N, words), padded with 0.

    A code of at most 64 bits is one word of 8, 16, 32 or 64 bits; a longer code has several words of 64 bits.
    """
    size = min(8, 1 << (packed.shape[1] - 1).bit_length())
    missing = -packed.shape[1] % size
    whole = F.pad(packed, (0, missing)) if missing else packed  # Padding by 0 bytes would copy.
    return whole.contiguous().numpy().view(f"u{size}")


def distances(database: np.ndarray, query: np.ndarray, excluded: np.ndarray | None = None) -> np.ndarray:
    """Compute Hamming distances.

    Args:
        database: Words of the items, (words, N), in this order so that memory is read contiguously.
        query: Words of the queries, (b, words).
        excluded: Mask of the items to leave out, bool, (b, N). Their distance is the number of bits plus 1.

    Returns:
        Distances, (b, N), of the smallest unsigned integer type that can hold them.
    """
    beyond = _bits(database) + 1
    total = np.zeros((len(query), database.shape[1]), dtype=np.min_scalar_type(beyond))
    for word, asked in zip(database, query.T, strict=True):
        total += np.bitwise_count(word ^ asked[:, None])
    if excluded is not None:
        total[excluded] = beyond
    return total


def rank_codes(
    database: np.ndarray, query: np.ndarray, grades: np.ndarray, excluded: np.ndarray | None = None
) -> np.ndarray:
    """Sort grades by rising distance, (b, N); items of equal distance keep the order of the database.

    NumPy sorts small integers by a stable counting sort, in time linear in N.
    """
    ranked = np.empty_like(grades)
    # `np.take` runs in several threads at once; indexing by brackets does not.
    for row, near, out in zip(grades, distances(database, query, excluded), ranked, strict=True):
        np.take(row, np.argsort(near, kind="stable"), out=out, mode="clip")
    return ranked.view(np.uint8) if ranked.dtype == np.bool_ else ranked


def count_codes(
    num_grades: int, database: np.ndarray, query: np.ndarray, grades: np.ndarray, excluded: np.ndarray | None = None
) -> np.ndarray:
    """Count the items of each distance and grade: (b, bits + 1, grades)."""
    cells = (_bits(database) + 1) * num_grades
    keys = distances(database, query, excluded).astype(np.min_scalar_type(cells + num_grades))
    keys *= num_grades
    keys += grades.astype(keys.dtype)
    keys.sort(axis=1, kind="stable")  # A counting sort, linear in N, which lets other threads run.
    edges = np.arange(cells + 1)
    ends = np.stack([np.searchsorted(row, edges.astype(row.dtype)) for row in keys])
    return np.diff(ends, axis=1).reshape(len(query), -1, num_grades)


def _bits(database: np.ndarray) -> int:
    """Number of bits of a code, with the padding."""
    return 8 * database.itemsize * len(database)


def in_parts(
    pool: ThreadPoolExecutor, function: Callable[..., Any], step: int, *arrays: np.ndarray | Sequence[Any]
) -> list[Any]:
    """Call a function with ``step`` rows of each array or list at a time, in threads that NumPy lets run in parallel.

    Returns:
        The results of the calls, in the order of the rows.
    """
    parts = [tuple(array[start : start + step] for array in arrays) for start in range(0, len(arrays[0]), step)]
    return list(pool.map(lambda part: function(*part), parts))
