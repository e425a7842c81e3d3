"""A data set from a table of pictures, captions and tags."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from labelgraph.data import CrossModalData, column_names, complete_splits, read_table
from labelgraph.features.from_files import data_from_files


def data_from_table(
    path: str | Path,
    *,
    image: str = "file",
    caption: str = "caption",
    tags: str = "tags",
    title: str | None = None,
    split: str | None = None,
    id: str | None = None,
    separator: str = ";",
    **options: Any,
) -> CrossModalData:
    """Make a data set of the pictures, captions and tags that a table lists.

    The table is read by `labelgraph.data.read_table`: CSV in UTF-8 or Parquet, with a header. Rows with neither picture
    nor caption are left out.

    Args:
        path: The table.
        image: Column of paths of pictures, relative to the table's folder; a path may be empty.
        caption: Column of texts, which may be empty.
        tags: Column of tags with separators between, which may be empty; in Parquet also lists of texts.
        title: Column of what to show of a picture, if it is not the caption; by default ``title``, where there is one.
        split: Column of splits, such as ``train``, ``val``, ``test``; by default ``split``, where there is one. Queries
            and database then come from the others, as in `labelgraph.data.complete_splits`.
        id: Column of ids; by default ``id``, where there is one, or else the paths, so that pictures can be found.
        separator: Between tags.
        options: Of `data_from_files`, such as ``image_encoder``, ``min_tag_count``, ``splits``.

    Raises:
        FileNotFoundError: If there is no such table.
        ValueError: If it cannot be read, a column is missing, an id is there twice, or `data_from_files` does not
            like what it gets.
        ImportError: If it is Parquet and pyarrow is not installed, or an encoder needs a package that is not.
    """
    there = column_names(path)
    title, split, id = (
        given or (name if name in there else None) for name, given in (("title", title), ("split", split), ("id", id))
    )
    id = id or image
    with warnings.catch_warnings():  # Labels are chosen later: which items have none is not known yet.
        warnings.filterwarnings("ignore", message=".* items without a label")
        table = read_table(
            path, image=image, caption=caption, tags=tags, split=split, id=id, title=title, separator=separator
        )
    ids = [each or f"item {number}" for number, each in enumerate(table.ids)]
    if len(set(ids)) != len(ids):
        repeated = next(each for each in ids if ids.count(each) > 1)
        raise ValueError(f"{path}: expected each {id} once (got {repeated!r} twice)")
    made = {"ids": ids, "titles": table.titles, "splits": table.splits or None}
    data = data_from_files(table.image_paths, table.captions, table.tags, **{**made, **options})
    if table.splits and "train" in data.splits:
        return replace(data, splits=complete_splits(data.splits, validation=0))
    return data
