"""Pictures in shards: members of a tar file of WebDataset, and rows of an Arrow file of Hugging Face datasets.

The path of such a picture starts with the path of the shard: ``shards/0000.tar/bird.jpg``,
``my-set/train/data-00000-of-00001.arrow/image/17``.
"""

from __future__ import annotations

import tarfile
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

SHARDS = (".tar", ".arrow")
OPEN = 256  # Number of shards whose tables of contents stay in memory.


def packed_picture(path: Path) -> bytes | None:
    """Return the content of a picture in a shard, or None if no part of the path is a shard.

    Raises:
        FileNotFoundError: If the shard has no such picture.
    """
    shard = next((above for above in path.parents if above.suffix.lower() in SHARDS and above.is_file()), None)
    if shard is None:
        return None
    inside = path.relative_to(shard)
    content = (_of_tar if shard.suffix.lower() == ".tar" else _of_arrow)(shard, inside)
    if content is None:
        raise FileNotFoundError(f"{path}: no such picture in this shard")
    return content


def tar_members(shard: Path) -> dict[str, tuple[int, int]]:
    """Return the place and the size of each file in a tar file, by name.

    Raises:
        ValueError: If the file is not a tar file.
    """
    return _members(shard, shard.stat().st_mtime_ns)


@lru_cache(OPEN)
def _members(shard: Path, _time: int) -> dict[str, tuple[int, int]]:
    try:
        with tarfile.open(shard, "r:") as archive:
            # As paths within the shard: tar writes "./a.png" too, and "/a.png" would name a file outside of it.
            return {_inside(each.name): (each.offset_data, each.size) for each in archive if each.isreg()}
    except tarfile.TarError as error:
        raise ValueError(f"{shard}: expected a tar file without compression ({error})") from error


def _inside(name: str) -> str:
    return PurePosixPath(name.lstrip("/")).as_posix()


def read_member(shard: Path, place: tuple[int, int]) -> bytes:
    """Read a file of a tar file at a place of `tar_members`."""
    with shard.open("rb") as file:
        file.seek(place[0])
        return file.read(place[1])


def _of_tar(shard: Path, inside: Path) -> bytes | None:
    place = tar_members(shard).get(inside.as_posix())
    return None if place is None else read_member(shard, place)


def _of_arrow(shard: Path, inside: Path) -> bytes | None:
    column, _, row = inside.as_posix().rpartition("/")
    table = arrow_table(shard)
    if column not in table.column_names or not row.isdecimal() or int(row) >= table.num_rows:
        return None
    value = table.column(column)[int(row)].as_py()
    content: bytes | None = value.get("bytes") if isinstance(value, dict) else value
    return content


def arrow_table(shard: Path) -> Any:
    """Open an Arrow file of Hugging Face datasets, memory-mapped.

    Raises:
        ValueError: If the file is not an Arrow stream.
        ImportError: If pyarrow is not installed.
    """
    return _arrow_table(shard, shard.stat().st_mtime_ns)


@lru_cache(OPEN)
def _arrow_table(shard: Path, _time: int) -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError(f"{shard}: Arrow files need pyarrow: pip install 'labelgraph[tables]'") from error
    try:
        return pyarrow.ipc.open_stream(pyarrow.memory_map(str(shard))).read_all()
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise ValueError(f"{shard}: expected an Arrow stream of Hugging Face datasets ({error})") from error
