"""Tables of the items in shards of WebDataset, and in data sets that Hugging Face's `save_to_disk` saved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from labelgraph._core.json_files import read_json
from labelgraph._core.reading import quoted, reading
from labelgraph.encoders.packed_pictures import arrow_table, read_member, tar_members

PICTURES = {"avif", "bmp", "gif", "jp2", "jpeg", "jpg", "png", "ppm", "tif", "tiff", "webp"}
STATE, SPLITS, INFO = "state.json", "dataset_dict.json", "dataset_info.json"
Columns = dict[str, list[Any]]


def is_sharded(path: Path) -> bool:
    """Whether a path is a tar file, a folder of tar files, or a data set of Hugging Face's `save_to_disk`."""
    if path.is_file():
        return path.suffix.lower() == ".tar"
    return path.is_dir() and (_is_saved(path) or any(path.glob("*.tar")))


def shard_columns(path: Path) -> Columns:
    """Return the columns of the items in shards. Paths of pictures are relative to the folder above ``path``.

    - A sample of WebDataset has files with one name: a picture, such as ``0001.jpg``, the caption ``0001.txt``, and
      ``0001.json`` with an object whose entries become columns, such as ``tags``. The column ``file`` has the pictures.
    - A data set of Hugging Face has its own columns; numbers of classes become their names. The splits of a
      ``DatasetDict`` become the column ``split``.

    Raises:
        ValueError: If a file is damaged.
        ImportError: If pyarrow is not installed, for a data set of Hugging Face.
    """
    if path.is_dir() and _is_saved(path):
        return _saved_columns(path)
    shards = sorted(path.glob("*.tar")) if path.is_dir() else [path]
    return _joined([sample for shard in shards for sample in _samples(shard, path.parent)])


def _joined(rows: list[dict[str, Any]]) -> Columns:
    """Convert rows to columns; an entry that a row lacks is None."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: [row.get(name) for row in rows] for name in names}


def _samples(shard: Path, above: Path) -> Iterator[dict[str, Any]]:
    """Yield the samples of a tar file: files whose names are the same up to the first point."""
    samples: dict[str, dict[str, tuple[str, tuple[int, int]]]] = {}
    for name, place in tar_members(shard).items():
        folder, _, file = name.rpartition("/")
        stem, _, ending = file.partition(".")
        samples.setdefault(f"{folder}/{stem}", {})[ending.lower()] = name, place
    for parts in samples.values():
        row: dict[str, Any] = {"file": None, "caption": None}
        for ending, (name, place) in parts.items():
            if ending in PICTURES:
                row["file"] = (shard.relative_to(above) / name).as_posix()
            elif ending == "txt":
                row["caption"] = read_member(shard, place).decode("utf-8", "replace")
        if "json" in parts:
            name, place = parts["json"]
            entries = _object(f"{shard}/{name}", read_member(shard, place))
            row = {**row, **{key: value for key, value in entries.items() if row.get(key) is None}}
        yield row


def _object(where: str, content: bytes) -> dict[str, Any]:
    try:
        entries = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: expected JSON ({error})") from error
    if not isinstance(entries, dict):
        raise ValueError(f"{where}: expected a JSON object (got {quoted(entries, 60)})")
    return entries


def _is_saved(folder: Path) -> bool:
    return (folder / STATE).is_file() or (folder / SPLITS).is_file()


def _saved_columns(path: Path) -> Columns:
    if (path / STATE).is_file():
        return _joined(list(_saved_rows(path, path.parent)))
    with reading(path / SPLITS, "the splits of a data set of Hugging Face"):
        splits = list(read_json(path / SPLITS)["splits"])
    return _joined(
        [{**row, "split": split} for split in splits for row in _saved_rows(path / Path(split).name, path.parent)]
    )


def _saved_rows(folder: Path, above: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of one data set; a picture becomes its path."""
    with reading(folder / STATE, "the state of a data set of Hugging Face"):
        state = read_json(folder / STATE)
        files = [folder / Path(each["filename"]).name for each in state["_data_files"]]
        if state.get("_indices_files"):
            raise ValueError("rows that are chosen by an index; call flatten_indices() before save_to_disk()")
    with reading(folder / INFO, "the features of a data set of Hugging Face"):
        features = dict(read_json(folder / INFO)["features"])
    for file in files:
        table = arrow_table(file)
        pictures = [name for name, kind in features.items() if _kind(kind) == "Image"]
        others = table.select([name for name in table.column_names if name not in pictures]).to_pylist()
        for number, row in enumerate(others):
            named = {name: _with_names(features.get(name), value) for name, value in row.items()}
            places = {name: (file.relative_to(above) / name / str(number)).as_posix() for name in pictures}
            yield {**places, **named}


def _kind(feature: Any) -> Any:
    return feature.get("_type") if isinstance(feature, Mapping) else None


def _with_names(feature: Any, value: Any) -> Any:
    """Replace numbers of classes by their names, also in lists."""
    if isinstance(value, list):
        inner = feature[0] if isinstance(feature, list) else feature.get("feature") if _kind(feature) else None
        return [_with_names(inner, each) for each in value]
    if _kind(feature) == "ClassLabel" and isinstance(value, int):
        names = feature.get("names") or ()
        return names[value] if 0 <= value < len(names) else None  # -1 is no class.
    return value
