"""Tensors of a safetensors file that stay in the file until they are used."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from labelgraph._core.json_files import LIMIT, parse_json

START = 8  # Bytes of the size of the header.
DTYPES = {
    "BOOL": torch.bool, "U8": torch.uint8, "I8": torch.int8, "I16": torch.int16, "I32": torch.int32, "I64": torch.int64,
    "F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64, "C64": torch.complex64,
}  # fmt: skip


def tensors_of(content: Any, path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, by name, without a copy.

    The library ``safetensors`` copies all tensors of bytes, and opens a file only by its path, which may be that of
    another file by now.

    Args:
        content: Bytes of the file, in writable memory of little-endian order, such as a private mapping.
        path: Path of the file, for messages.

    Raises:
        Exception: Of any type, if the content is not that of a safetensors file.
    """
    view = memoryview(content)
    size = int.from_bytes(view[:START], "little")
    if size > LIMIT:
        raise ValueError(f"a header of at most {LIMIT:,} bytes, not {size:,}")
    header = parse_json(bytes(view[START : START + size]), path)
    header.pop("__metadata__", None)
    tensors, place = {}, START + size
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        tensors[name], place = _tensor(content, name, entry, START + size, place)
    if place != len(view):
        raise ValueError(f"tensors of {place:,} bytes with the header in a file of {len(view):,} bytes")
    return tensors


def _tensor(content: Any, name: str, entry: dict[str, Any], start: int, place: int) -> tuple[Tensor, int]:
    """Return the tensor that begins at a place of the file, and the place where it ends."""
    shape, dtype, (first, last) = entry["shape"], DTYPES[entry["dtype"]], entry["data_offsets"]
    count = math.prod(shape)
    if not all(type(side) is int and side >= 0 for side in (*shape, first, last)):
        raise ValueError(f"a shape and offsets that are whole numbers from 0 for {name!r}, not {shape}")
    if start + first != place or last - first != count * dtype.itemsize:
        raise ValueError(f"{count * dtype.itemsize:,} bytes from {place - start:,} for {name!r}, not {first} to {last}")
    if not count:  # PyTorch refuses an empty part of memory.
        return torch.empty(shape, dtype=dtype), place
    return torch.frombuffer(content, dtype=dtype, count=count, offset=place).reshape(shape), start + last
