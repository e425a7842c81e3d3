"""Reader of tables of raw items: CSV, TSV and Parquet files with paths of pictures, captions and tags."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from labelgraph._core.argument_kinds import as_path
from labelgraph.encoders.table_files import read_columns
from labelgraph.encoders.table_values import ids_of, split_rows, tags_of, texts


@dataclass(frozen=True, eq=False)
class Table:
    """Raw items of a table, before feature extraction.

    Attributes:
        image_paths: Path of the picture of each item, or ``None``.
        captions: Caption of each item, possibly empty.
        labels: Multi-hot labels, shape (N, C), CSR of ``uint8``.
        label_names: The C tags, sorted.
        ids: Ids of the items.
        titles: Titles of the items, shown in results.
        splits: Row numbers of the items by split.
        empty: Row numbers in the table, from 0, that were left out because they have neither picture nor caption.
        unlabelled: Row numbers of the items, from 0, without a label.
        separator: Separator of tags in the table, or several.
    """

    image_paths: list[Path | None]
    captions: list[str]
    labels: sp.csr_array
    label_names: tuple[str, ...]
    ids: list[str]
    titles: list[str] = field(default_factory=list)
    splits: dict[str, np.ndarray] = field(default_factory=dict)
    empty: tuple[int, ...] = ()
    unlabelled: tuple[int, ...] = ()
    separator: str | tuple[str, ...] = ";"

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def tags(self) -> list[list[str]]:
        """The tags of each item."""
        parts = np.split(self.labels.indices, self.labels.indptr[1:-1])
        return [[self.label_names[column] for column in part.tolist()] for part in parts]

    @property
    def present(self) -> np.ndarray:
        """Whether each item has an image and a text, shape (N, 2)."""
        images = [path is not None for path in self.image_paths]
        return np.stack([np.array(images, dtype=bool), np.array(list(map(bool, self.captions)), dtype=bool)], axis=1)


def read_table(
    path: str | Path,
    *,
    image: str | None = "file",
    caption: str | None = "caption",
    tags: str = "tags",
    split: str | None = None,
    id: str | None = None,
    title: str | None = None,
    separator: str | Sequence[str] | None = None,
    min_count: int = 1,
) -> Table:
    r"""Read a table of pictures, captions and tags.

    The table is a Parquet file (``.parquet``) or a CSV file in UTF-8 with a header: ``.csv`` with commas, semicolons,
    tabs or bars, ``.tsv`` with tabs. Spaces around values are removed. Null and NaN are missing values; 0 and false
    are not. Rows with neither picture nor caption are left out. A warning and the result report the rows that are
    left out and the items without a label.

    Args:
        path: The file.
        image: Column of paths of pictures, relative to the file's folder or absolute; ``None`` for none.
        caption: Column of texts; ``None`` for none.
        tags: Column of tags: texts with separators, lists, or lists written as texts, such as
            ``['cat', 'dog']``.
        split: Column of the names of splits: ``train``, ``validation``, ``test``, ``query``, ``database`` in any
            case; ``val``, ``valid`` and ``dev`` mean ``validation``. An item with an empty value is in no split.
        id: Column of distinct ids; by default the row numbers. If it is the column of pictures, the id of an item
            without a picture is ``item NUMBER``.
        title: Column of titles; an empty title defaults to the caption, or else to the id.
        separator: Separator of tags, or several, such as ``[";", ","]``; by default ``;``, ``|`` or ``,``, whichever
            occurs.
        min_count: Minimum number of items with a tag for the tag to become a label.

    Returns:
        The items.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the table cannot be read, a column is missing, a value does not fit its column, several
            separators occur, or no item or no label remains; the message names file and column.
        ImportError: If the table is Parquet and pyarrow is not installed.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from labelgraph.encoders import read_table
        >>> path = Path(tempfile.mkdtemp()) / "items.csv"
        >>> _ = path.write_text("file,caption,tags,split\na.jpg,A red cat,cat; red,train\nb.jpg,A dog,dog,test\n")
        >>> table = read_table(path, split="split")
        >>> table.label_names, table.labels.toarray().tolist(), table.captions
        (('cat', 'dog', 'red'), [[1, 0, 1], [0, 1, 0]], ['A red cat', 'A dog'])
    """
    path = as_path("path", path)
    if separator is not None and not all([separator] if isinstance(separator, str) else separator or [""]):
        raise ValueError(f"'separator' must be a text of at least one character, or several (got {separator!r})")
    if image is None and caption is None:
        raise ValueError("'image' or 'caption' must be the name of a column (got None for both)")
    wanted = list(dict.fromkeys(name for name in (image, caption, tags, split, id, title) if name is not None))
    columns = read_columns(path, wanted)
    size = len(columns[tags])
    pictures, captions, splits, titles = (
        texts(path, name, columns[name]) if name is not None else [""] * size for name in (image, caption, split, title)
    )
    rows_kept = [row for row in range(size) if pictures[row] or captions[row]]
    if not rows_kept:
        raise ValueError(f"{path}: expected rows with a picture or a caption (got {size} rows with neither)")
    every_tags, separator = tags_of(path, tags, columns[tags], separator)
    labels, names = _multi_hot(path, [every_tags[row] for row in rows_kept], min_count)
    ids = ids_of(path, id, columns[id], rows_kept, id == image) if id is not None else [str(row) for row in rows_kept]
    table = Table(
        image_paths=[path.parent / pictures[row] if pictures[row] else None for row in rows_kept],
        captions=[captions[row] for row in rows_kept],
        labels=labels,
        label_names=names,
        ids=ids,
        titles=[titles[row] or captions[row] or name for row, name in zip(rows_kept, ids, strict=True)],
        splits=split_rows(path, split, [splits[row] for row in rows_kept]) if split is not None else {},
        empty=tuple(sorted(set(range(size)) - set(rows_kept))),
        unlabelled=tuple(np.flatnonzero(np.diff(labels.indptr) == 0).tolist()),
        separator=separator,
    )
    _report(path, table)
    return table


def _multi_hot(path: Path, tags: list[list[str]], min_count: int) -> tuple[sp.csr_array, tuple[str, ...]]:
    count = Counter(tag for row in tags for tag in row)
    names = tuple(sorted(tag for tag, number in count.items() if number >= min_count))
    if not names:
        raise ValueError(f"{path}: expected a label that occurs at least {min_count} times (got {len(count)} rarer)")
    column = {name: place for place, name in enumerate(names)}
    rows = [[column[tag] for tag in row if tag in column] for row in tags]
    indptr = np.cumsum([0, *map(len, rows)])
    indices = np.array([place for row in rows for place in row], dtype=np.int64)
    return sp.csr_array((np.ones(len(indices), np.uint8), indices, indptr), shape=(len(tags), len(names))), names


def _report(path: Path, table: Table) -> None:
    reports = {"row left out, with no picture and no caption": table.empty, "item without a label": table.unlabelled}
    for one, rows in reports.items():
        if rows:
            first, _, rest = one.partition(" ")
            noun = one if len(rows) == 1 else f"{first}s {rest}"
            shown = ", ".join(map(str, rows[:5]))
            warnings.warn(f"{path}: {len(rows)} {noun}: {shown}{', ...' if len(rows) > 5 else ''}", stacklevel=3)
