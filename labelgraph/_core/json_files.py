"""Reading and writing of JSON files; an error on a damaged file names the file."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, BinaryIO

from labelgraph._core.files import write_bytes

LIMIT = 64 << 20  # Largest file in bytes; its Python objects take several times as much memory.
LARGEST = 1 << 63


def read_json(path: str | Path, limit: int = LIMIT) -> Any:
    """Read a JSON file.

    Numbers that are not finite, integers of more than 64 bits, repeated keys in an object and text that is not Unicode
    are errors.

    Args:
        path: Path of the file.
        limit: Largest size of the file, in bytes.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is too large or is not valid JSON; the message names the file.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from labelgraph._core.json_files import read_json, write_json
        >>> path = Path(tempfile.mkdtemp()) / "a.json"
        >>> write_json(path, {"a": [1, None]})
        >>> read_json(path)
        {'a': [1, None]}
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if not path.is_file():
        raise ValueError(f"{path}: expected a JSON file (got a folder or a device)")
    with path.open("rb") as file:
        content = read_at_most(file, limit)
    if len(content) > limit:
        raise ValueError(f"{path}: expected at most {limit:,} bytes of JSON (got more)")
    return parse_json(content, path)


def read_at_most(file: BinaryIO, limit: int) -> bytes:
    """Read an open file up to one byte over the limit; the memory is reserved by the size of the file."""
    return file.read(min(os.fstat(file.fileno()).st_size, limit) + 1)


def parse_json(content: bytes, name: str | Path) -> Any:
    """Parse JSON as `read_json` does; error messages use ``name``.

    Raises:
        ValueError: If ``content`` is not valid JSON.
    """
    try:
        value = json.loads(
            content.decode("utf-8"),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_bounded,
            object_pairs_hook=_unique,
        )
        if b"\\u" in content:  # An escaped lone surrogate can be read, but not written again.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: expected JSON (got {str(error)[:200]})") from error
    return value


def write_json(path: str | Path, value: Any, indent: int | None = 1) -> None:
    """Write a JSON file atomically.

    Raises:
        ValueError: If a number is not finite.
        TypeError: If JSON cannot hold the value.
        OSError: If the file cannot be written.
    """
    write_bytes(path, (json.dumps(value, indent=indent, allow_nan=False) + "\n").encode())


def _refuse_constant(name: str) -> None:
    raise ValueError(f"the number {name}")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:20]}, which is too large")
    return number


def _bounded(text: str) -> int:
    number = int(text) if len(text) < 30 else LARGEST
    if not -LARGEST <= number < LARGEST:
        raise ValueError(f"an integer of more than 64 bits, {text[:20]}...")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} twice in an object")
    return content
