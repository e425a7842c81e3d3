"""Codes as packed bits, and their Hamming distances."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def pack_bits(codes: Tensor) -> Tensor:
    """Pack codes of -1 and 1 into bytes, the first bit of each eight the highest, as ``numpy.packbits`` does.

    Args:
        codes: Shape (N, bits); positive entries become 1, others 0. Bits that are not a multiple of 8 are
            filled up with 0.

    Returns:
        uint8, shape (N, ceil(bits / 8)).

    Raises:
        ValueError: If it is no matrix, or holds NaN.

    Example:
        >>> import torch
        >>> from labelgraph.metrics import pack_bits
        >>> pack_bits(torch.tensor([[1, -1, -1, -1, -1, -1, -1, 1, 1]]))
        tensor([[129, 128]], dtype=torch.uint8)
    """
    if codes.ndim != 2 or codes.size(1) == 0:
        raise ValueError(f"'codes' must have the shape (N, bits) (got {tuple(codes.shape)})")
    if codes.is_floating_point() and codes.isnan().any():
        raise ValueError("'codes' must be numbers (got NaN)")
    bits = F.pad((codes > 0).to(torch.uint8), (0, -codes.size(1) % 8)).view(len(codes), -1, 8)
    return (bits << _shifts(codes.device)).sum(-1, dtype=torch.uint8)


def unpack_bits(packed: Tensor, bits: int) -> Tensor:
    """Undo `pack_bits`: codes of -1 and 1, int8, shape (N, bits).

    Args:
        packed: uint8, shape (N, ceil(bits / 8)).
        bits: Length of the codes.

    Example:
        >>> import torch
        >>> from labelgraph.metrics import unpack_bits
        >>> unpack_bits(torch.tensor([[160]], dtype=torch.uint8), 3)
        tensor([[ 1, -1,  1]], dtype=torch.int8)
    """
    if packed.dtype != torch.uint8 or packed.ndim != 2 or not 8 * packed.size(1) - 8 < bits <= 8 * packed.size(1):
        raise ValueError(
            f"'packed' must be bytes of shape (N, {-(-bits // 8)}) for {bits} bits "
            f"(got {packed.dtype}, {tuple(packed.shape)})"
        )
    every = (packed.unsqueeze(-1) >> _shifts(packed.device)) & 1
    return every.view(len(packed), -1)[:, :bits].to(torch.int8) * 2 - 1


def _shifts(device: torch.device) -> Tensor:
    return torch.arange(7, -1, -1, dtype=torch.uint8, device=device)


BITS_OF_A_BYTE = np.array([value.bit_count() for value in range(256)], dtype=np.uint8)


def code_words(packed: Tensor) -> np.ndarray:
    """Packed codes, filled up with 0, as one word of 8, 16, 32 or 64 bits, or as many of 64: (N, words)."""
    size = min(8, 1 << (packed.shape[1] - 1).bit_length())
    missing = -packed.shape[1] % size
    whole = F.pad(packed, (0, missing)) if missing else packed  # Padding by nothing would copy.
    return whole.contiguous().numpy().view(f"u{size}")


def count_bits_by_table(words: np.ndarray) -> np.ndarray:
    """The number of ones in each word of any width, for NumPy before 2.0."""
    return BITS_OF_A_BYTE[words[..., None].view(np.uint8)].sum(-1, dtype=np.uint8)


count_bits = getattr(np, "bitwise_count", count_bits_by_table)


def distances(database: np.ndarray, query: np.ndarray, excluded: np.ndarray | None = None) -> np.ndarray:
    """Hamming distances.

    Args:
        database: Words, (words, N): a row a word, so that each is read in one run.
        query: Words, (b, words).
        excluded: Items to leave out, bool, (b, N); they get a distance of one more than there are bits.

    Returns:
        (b, N), the smallest unsigned integers that hold them.
    """
    beyond = _bits(database) + 1
    total = np.zeros((len(query), database.shape[1]), dtype=np.min_scalar_type(beyond))
    for word, asked in zip(database, query.T, strict=True):
        total += count_bits(word ^ asked[:, None])
    if excluded is not None:
        total[excluded] = beyond
    return total


def rank_codes(
    database: np.ndarray, query: np.ndarray, grades: np.ndarray, excluded: np.ndarray | None = None
) -> np.ndarray:
    """Grades in the order of rising distance, equal ones in the order of the database: (b, N).

    NumPy sorts small integers stably by counting them, in time linear in N.
    """
    ranked = np.empty_like(grades)
    # NumPy takes by `np.take` in several threads at once, but not by brackets.
    for row, near, out in zip(grades, distances(database, query, excluded), ranked, strict=True):
        np.take(row, np.argsort(near, kind="stable"), out=out, mode="clip")
    return ranked.view(np.uint8) if ranked.dtype == np.bool_ else ranked


def count_codes(
    num_grades: int, database: np.ndarray, query: np.ndarray, grades: np.ndarray, excluded: np.ndarray | None = None
) -> np.ndarray:
    """How many items of each distance and grade there are: (b, bits + 1, grades)."""
    cells = (_bits(database) + 1) * num_grades
    keys = distances(database, query, excluded).astype(np.min_scalar_type(cells + num_grades))
    keys *= num_grades
    keys += grades.astype(keys.dtype)
    keys.sort(axis=1, kind="stable")  # Of small integers this counts, in time linear in N, and lets threads run.
    edges = np.arange(cells + 1)
    ends = np.stack([np.searchsorted(row, edges.astype(row.dtype)) for row in keys])
    return np.diff(ends, axis=1).reshape(len(query), -1, num_grades)


def _bits(database: np.ndarray) -> int:
    """Of a code, as it was filled up."""
    return 8 * database.itemsize * len(database)


def in_parts(pool: ThreadPoolExecutor, function: Callable[..., Any], step: int, *arrays: np.ndarray) -> list[Any]:
    """Call a function with ``step`` rows of each array at a time; NumPy lets threads work side by side.

    Returns:
        What the calls gave, in the order of the rows.
    """
    parts = [tuple(array[start : start + step] for array in arrays) for start in range(0, len(arrays[0]), step)]
    return list(pool.map(lambda part: function(*part), parts))
