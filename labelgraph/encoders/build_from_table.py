"""Data sets from folders and tables of pictures, captions and tags."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from labelgraph.data import CrossModalData, complete_splits
from labelgraph.encoders.build_dataset import data_from_files
from labelgraph.encoders.item_tables import read_table
from labelgraph.encoders.table_columns import guess_columns

USUAL = {"image": "file"}  # Names of columns that need no telling; the others are called as the arguments.


def data_from_table(
    path: str | Path,
    *,
    image: str | None = None,
    caption: str | None = None,
    tags: str | None = None,
    title: str | None = None,
    split: str | None = None,
    id: str | None = None,
    separator: str | None = None,
    **options: Any,
) -> CrossModalData:
    """Make a data set of the pictures, captions and tags that a table lists.

    The table is read by `labelgraph.encoders.read_table`: CSV in UTF-8 or Parquet, with a header. Rows with neither
    picture nor caption are left out. Columns that are not given are found by their names, see
    `labelgraph.encoders.guess_columns`; a warning tells which, unless they are called as the arguments, or ``file``. A
    picture whose path differs from its file in capitals only is found, too.

    Args:
        path: The table.
        image: Column of paths of pictures, relative to the table's folder; a path may be empty.
        caption: Column of texts, which may be empty.
        tags: Column of tags, which may be empty: texts with separators between, or lists.
        title: Column of what to show of a picture, if it is not the caption.
        split: Column of splits, such as ``train``, ``val``, ``test``. Queries and database then come from the others,
            as in `labelgraph.data.complete_splits`.
        id: Column of ids; where there is none, the paths, so that pictures can be found.
        separator: Between tags; by default the one of ``;``, ``|`` and ``,`` that occurs.
        options: Of `data_from_files`, such as ``image_encoder``, ``min_tag_count``, ``splits``.

    Raises:
        FileNotFoundError: If there is no such table.
        ValueError: If it cannot be read, a column is missing, an id is there twice, or `data_from_files` does not
            like what it gets.
        ImportError: If it is Parquet and pyarrow is not installed, or an encoder needs a package that is not.
    """
    path = Path(path)
    given = {"image": image, "caption": caption, "tags": tags, "title": title, "split": split, "id": id}
    columns = guess_columns(path, given)
    _tell_columns(path, columns, given)
    names: dict[str, Any] = {**columns, "id": columns["id"] or columns["image"]}
    with warnings.catch_warnings():  # Labels are chosen later: which items have none is not known yet.
        warnings.filterwarnings("ignore", message=".* without a label")
        table = read_table(path, **names, separator=separator)
    if separator is None and table.separator != ";" and any(len(each) > 1 for each in table.tags):
        warnings.warn(f"{path}: '{table.separator}' separates the tags of the column '{columns['tags']}'", stacklevel=2)
    if columns["split"] and (without := len(table) - sum(map(len, table.splits.values()))):
        warnings.warn(f"{path}: {without} of {len(table)} items are in no split", stacklevel=2)
    paths = _found_paths(path, table.image_paths)
    ids = table.ids if columns["id"] else _file_ids(table.ids, table.image_paths, paths)
    made = {"ids": ids, "titles": table.titles, "splits": table.splits or None}
    data = data_from_files(paths, table.captions, table.tags, **{**made, **options})
    if table.splits and "train" in data.splits:
        return replace(data, splits=complete_splits(data.splits))
    return data


def _tell_columns(path: Path, columns: Mapping[str, str | None], given: Mapping[str, str | None]) -> None:
    """Tell which columns were guessed by other names than the usual ones."""
    guessed = {key: name for key, name in columns.items() if name and not given[key] and name != USUAL.get(key, key)}
    if guessed:
        told = ", ".join(f"'{name}' as {USUAL.get(key, key)}" for key, name in guessed.items())
        warnings.warn(f"{path}: read the column{'s' if len(guessed) > 1 else ''} {told}", stacklevel=3)


def _found_paths(table: Path, paths: Sequence[Path | None]) -> list[Path | None]:
    """Paths of files; one that is not there, but another that differs in capitals only, is meant by that."""
    listed: dict[Path, dict[str, list[str]]] = {}
    found: list[Path | None] = []
    for path in paths:
        if path is None or path.exists():
            found.append(path)
            continue
        if path.parent not in listed:
            listed[path.parent] = _names_by_case(path.parent)
        meant = listed[path.parent].get(path.name.casefold(), [])
        found.append(path.with_name(meant[0]) if len(meant) == 1 else path)
    others = [path for path, other in zip(paths, found, strict=True) if path != other]
    if others and others[0] is not None:
        noun = "picture is" if len(others) == 1 else "pictures are"
        warnings.warn(
            f"{table}: {len(others)} {noun} found by other capitals, the first: {others[0].name}", stacklevel=3
        )
    return found


def _file_ids(ids: Sequence[str], listed: Sequence[Path | None], found: Sequence[Path | None]) -> list[str]:
    """Ids that are paths, with the capitals of the files, so that the pictures can be found by them."""
    named = [
        each if there is None or path == there else each[: len(each) - len(there.name)] + there.name
        for each, path, there in zip(ids, listed, found, strict=True)
    ]
    return named if len(set(named)) == len(named) else list(ids)


def _names_by_case(folder: Path) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        names.setdefault(file.name.casefold(), []).append(file.name)
    return names


NAMES, ENDINGS = ("captions", "metadata"), (".csv", ".tsv", ".parquet")


def data_from_folder(path: str | Path, **options: Any) -> CrossModalData:
    """Make a data set of a folder that holds pictures and a table of them.

    The table is ``captions.csv`` or ``metadata.csv``, or another ending that `data_from_table` reads, or else the only
    table in the folder. The path of a picture within the folder becomes its id, unless there is a column of ids.

    Args:
        path: The folder.
        options: Of `data_from_table` and `data_from_files`, such as ``image_encoder``, ``min_tag_count``, ``splits``.

    Raises:
        FileNotFoundError: If there is no such folder or table.
        ValueError: If there are several tables, a column is missing, a file is listed twice, or `data_from_files` does
            not like what it gets.
    """
    return data_from_table(table_of(Path(path)), **options)


def table_of(folder: Path) -> Path:
    """The table of a folder.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If there are several, none of which is called as usual.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    tables = sorted(file for file in folder.iterdir() if file.suffix.lower() in ENDINGS and file.is_file())
    usual = [file for name in NAMES for ending in ENDINGS for file in tables if file.name.lower() == name + ending]
    if not tables:
        raise FileNotFoundError(f"{folder}: expected a folder with captions.csv or metadata.csv, or one other table")
    if not usual and len(tables) > 1:
        listed = ", ".join(file.name for file in tables[:5])
        raise ValueError(f"{folder}: expected one table, or one called captions.csv; name one of them (got {listed})")
    return (usual or tables)[0]
