"""A data set from a folder of pictures."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from labelgraph.data import CrossModalData
from labelgraph.features.from_files import data_from_files

TABLES = ("captions.csv", "metadata.csv")
COLUMNS = ("file", "caption", "tags")


def data_from_folder(path: str | Path, **options: Any) -> CrossModalData:
    """Make a data set of a folder that holds pictures and a table of them.

    The table is ``captions.csv`` or ``metadata.csv``: comma-separated, UTF-8, with a header, and the columns

    - ``file``: path of a picture within the folder, which becomes its id; each once;
    - ``caption``: a text, which may be empty;
    - ``tags``: separated by semicolons, which may be empty; blanks around a tag do not count.

    Other columns are not read, except ``title``: what to show of a picture, if it is not the caption.

    Args:
        path: The folder.
        options: Of `data_from_files`, such as ``image_encoder``, ``min_tag_count``, ``splits``.

    Raises:
        FileNotFoundError: If there is no such folder or table.
        ValueError: If a column is missing, a file is listed twice, or `data_from_files` does not like what it gets.
    """
    folder = Path(path)
    table = next((folder / name for name in TABLES if (folder / name).is_file()), None)
    if table is None:
        raise FileNotFoundError(f"{folder}: expected a folder with {' or '.join(TABLES)}")
    rows = _read_table(table)
    files = [row["file"] for row in rows]
    if len(set(files)) != len(files):
        repeated = next(file for file in files if files.count(file) > 1)
        raise ValueError(f"{table}: expected each file once (got {repeated!r} twice)")
    return data_from_files(
        [folder / file for file in files],
        [row["caption"] for row in rows],
        [[tag.strip() for tag in row["tags"].split(";") if tag.strip()] for row in rows],
        **{"ids": files, "titles": [row.get("title") or row["caption"] or row["file"] for row in rows], **options},
    )


def _read_table(path: Path) -> list[dict[str, str]]:
    """Read a table; cells that a row is short of are empty."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, restval="")
        found = reader.fieldnames or []
        if absent := [name for name in COLUMNS if name not in found]:
            raise ValueError(f"{path}: expected the column {absent[0]!r} (got {', '.join(found) or 'none'})")
        return list(reader)
