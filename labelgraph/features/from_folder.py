"""A data set from a folder of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labelgraph.data import CrossModalData
from labelgraph.features.from_table import data_from_table

TABLES = ("captions.csv", "metadata.csv")


def data_from_folder(path: str | Path, **options: Any) -> CrossModalData:
    """Make a data set of a folder that holds pictures and a table of them.

    The table is ``captions.csv`` or ``metadata.csv``, with the columns that `data_from_table` reads: ``file``, path of
    a picture within the folder, which becomes its id; ``caption``; ``tags``, separated by semicolons; and where they
    are there, ``title``, ``split`` and ``id``. Other columns are not read.

    Args:
        path: The folder.
        options: Of `data_from_table` and `data_from_files`, such as ``image_encoder``, ``min_tag_count``, ``splits``.

    Raises:
        FileNotFoundError: If there is no such folder or table.
        ValueError: If a column is missing, a file is listed twice, or `data_from_files` does not like what it gets.
    """
    return data_from_table(table_of(Path(path)), **options)


def table_of(folder: Path) -> Path:
    """The table of a folder.

    Raises:
        FileNotFoundError: If there is none.
    """
    found = [folder / name for name in TABLES if (folder / name).is_file()]
    if not found:
        raise FileNotFoundError(f"{folder}: expected a folder with {' or '.join(TABLES)}")
    return found[0]
