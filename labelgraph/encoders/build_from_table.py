"""Building data sets from folders and tables of pictures, captions and tags."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from labelgraph._core.argument_kinds import as_path
from labelgraph.data import CrossModalData, complete_splits
from labelgraph.encoders import similar_tags
from labelgraph.encoders.build_dataset import data_from_files
from labelgraph.encoders.item_tables import read_table
from labelgraph.encoders.shard_tables import is_sharded
from labelgraph.encoders.table_columns import guess_columns

USUAL = {"image": "file"}  # Column names that are not reported; by default, the name of the argument.


def data_from_table(
    path: str | Path,
    *,
    image: str | None = None,
    caption: str | None = None,
    tags: str | None = None,
    title: str | None = None,
    split: str | None = None,
    id: str | None = None,
    separator: str | Sequence[str] | None = None,
    merge_tags: bool = True,
    **options: Any,
) -> CrossModalData:
    """Build a data set from the pictures, captions and tags that a table lists.

    The table is CSV in UTF-8 or Parquet, with a header, and is read by `labelgraph.encoders.read_table`. Rows with
    neither picture nor caption are left out. `labelgraph.encoders.guess_columns` finds columns that are not given by
    their names. A warning reports these columns, unless they are called as the argument or ``file``. A picture is
    found even if its path differs from its file in upper and lower case.

    Args:
        path: The table.
        image: Column of paths of pictures, which may be empty, relative to the table's folder.
        caption: Column of texts, which may be empty.
        tags: Column of tags, which may be empty: texts with separators, or lists.
        title: Column of titles, if they differ from the captions.
        split: Column of splits, such as ``train``, ``val``, ``test``. Queries and database follow from these
            splits, see `labelgraph.data.complete_splits`.
        id: Column of ids; by default, the paths of the pictures.
        separator: Separator of tags, or several, such as ``[";", ","]``; by default ``;``, ``|`` or ``,``, whichever
            occurs.
        merge_tags: Whether tags that differ only in capitals, spaces, or as singular and plural become one tag. A
            warning reports them.
        options: Arguments of `data_from_files`, such as ``image_encoder``, ``min_tag_count``, ``splits``.

    Raises:
        FileNotFoundError: If there is no such table.
        ValueError: If the table cannot be read, a column is missing, an id is repeated, or `data_from_files` raises
            an error.
        ImportError: If the table is Parquet and pyarrow is not installed, or a package of an encoder is missing.
    """
    path = as_path("path", path)
    named = {"image": image, "caption": caption, "tags": tags, "title": title, "split": split, "id": id}
    columns = guess_columns(path, named)
    _report_columns(path, columns, named)
    names: dict[str, Any] = {**columns, "id": columns["id"] or columns["image"]}
    with warnings.catch_warnings():  # Labels are chosen later, from frequent tags.
        warnings.filterwarnings("ignore", message=".* without a label")
        table = read_table(path, **names, separator=separator)
    if separator is None and table.separator != ";" and any(len(tags_of_item) > 1 for tags_of_item in table.tags):
        warnings.warn(f"{path}: '{table.separator}' separates the tags of the column '{columns['tags']}'", stacklevel=2)
    if columns["split"] and (without := len(table) - sum(map(len, table.splits.values()))):
        warnings.warn(f"{path}: {without} of {len(table)} items are in no split", stacklevel=2)
    paths = _existing_paths(path, table.image_paths)
    ids = table.ids if columns["id"] else _file_ids(table.ids, table.image_paths, paths)
    columns_read = {"ids": ids, "titles": table.titles, "splits": table.splits or None}
    data = data_from_files(paths, table.captions, _tags(path, table.tags, merge_tags), **{**columns_read, **options})
    if table.splits and "train" in data.splits and options.get("part") is None:  # Merging completes those of parts.
        return replace(data, splits=complete_splits(data.splits))
    return data


def _tags(path: Path, tags: list[list[str]], merge: bool) -> list[list[str]]:
    """Tags of each item, merged if asked for; warnings report merged tags and typing errors."""
    if merge:
        tags, merged = similar_tags.merge_tags(tags)
        similar_tags.warn_of_merged(str(path), merged)
    similar_tags.warn_of_typing_errors(str(path), tags)
    return tags


def _report_columns(path: Path, columns: Mapping[str, str | None], named: Mapping[str, str | None]) -> None:
    """Warn of guessed columns with unusual names."""
    guessed = {key: name for key, name in columns.items() if name and not named[key] and name != USUAL.get(key, key)}
    if guessed:
        guesses = ", ".join(f"'{name}' as {USUAL.get(key, key)}" for key, name in guessed.items())
        warnings.warn(f"{path}: read the column{'s' if len(guessed) > 1 else ''} {guesses}", stacklevel=3)


def _existing_paths(table: Path, paths: Sequence[Path | None]) -> list[Path | None]:
    """Paths of the pictures; a missing file is replaced by the only file that differs in case alone."""
    listed: dict[Path, dict[str, list[str]]] = {}
    existing: list[Path | None] = []
    for path in paths:
        if path is None or path.exists():
            existing.append(path)
            continue
        if path.parent not in listed:
            listed[path.parent] = _names_by_case(path.parent)
        meant = listed[path.parent].get(path.name.casefold(), [])
        existing.append(path.with_name(meant[0]) if len(meant) == 1 else path)
    others = [path for path, other in zip(paths, existing, strict=True) if path != other]
    if others and others[0] is not None:
        noun = "picture" if len(others) == 1 else "pictures"
        warnings.warn(
            f"{table}: {len(others)} {noun} found although the case of the name differs, the first: {others[0].name}",
            stacklevel=3,
        )
    return existing


def _file_ids(ids: Sequence[str], listed: Sequence[Path | None], existing: Sequence[Path | None]) -> list[str]:
    """Ids that are paths, in the case of the file names, so that they lead to the pictures."""
    named = [
        id if file is None or path == file else id[: len(id) - len(file.name)] + file.name
        for id, path, file in zip(ids, listed, existing, strict=True)
    ]
    return named if len(set(named)) == len(named) else list(ids)


def _names_by_case(folder: Path) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        names.setdefault(file.name.casefold(), []).append(file.name)
    return names


NAMES, ENDINGS = ("captions", "metadata"), (".csv", ".tsv", ".parquet")


def data_from_folder(path: str | Path, **options: Any) -> CrossModalData:
    """Build a data set from a folder with pictures and a table.

    The table is called ``captions`` or ``metadata``, with the ending ``.csv``, ``.tsv`` or ``.parquet``, or is the only
    table in the folder. A folder may also have shards of WebDataset, ``.tar``, or be a data set that Hugging Face's
    ``save_to_disk`` saved, see `labelgraph.encoders.shard_tables.shard_columns`. The path of a picture within the
    folder is its id, unless the table has a column of ids.

    Args:
        path: The folder.
        options: Arguments of `data_from_table` and `data_from_files`, such as ``min_tag_count`` and ``splits``.

    Raises:
        FileNotFoundError: If there is no such folder or table.
        ValueError: If there are several tables, a column is missing, a file is listed twice, or `data_from_files`
            raises an error.
    """
    return data_from_table(table_of(as_path("path", path)), **options)


def table_of(folder: Path) -> Path:
    """Find the table of a folder; a folder of shards is its own table.

    Raises:
        FileNotFoundError: If the folder or the table is missing.
        ValueError: If there are several tables and none has a usual name.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    tables = sorted(file for file in folder.iterdir() if file.suffix.lower() in ENDINGS and file.is_file())
    usual = [file for name in NAMES for ending in ENDINGS for file in tables if file.name.lower() == name + ending]
    if not usual and is_sharded(folder):
        return folder
    if not tables:
        raise FileNotFoundError(f"{folder}: expected a folder with captions.csv or metadata.csv, or one other table")
    if not usual and len(tables) > 1:
        listed = ", ".join(file.name for file in tables[:5])
        raise ValueError(f"{folder}: expected one table, or one called captions.csv; name one of them (got {listed})")
    return (usual or tables)[0]
