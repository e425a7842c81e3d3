"""Tables of raw items: CSV, TSV and Parquet files with paths of pictures, captions and tags."""

from __future__ import annotations

import csv
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

LONGEST_FIELD = 1 << 24


def column_names(path: str | Path) -> list[str]:
    """The names of the columns of a file that `read_table` reads.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read.
        ImportError: If it is Parquet and pyarrow is not installed.
    """
    with _opened(Path(path)) as table:
        return table.names


def read_columns(path: Path, names: Sequence[str]) -> dict[str, list[Any]]:
    """Some columns of a CSV or Parquet file, as lists."""
    with _opened(path) as table:
        for name in names:
            if table.names.count(name) != 1:
                raise ValueError(f"{path}: expected one column '{name}' (got {', '.join(table.names) or 'none'})")
        return table.read(names)


class _Opened(NamedTuple):
    """The names of the columns of a file, and how to read some of them."""

    names: list[str]
    read: Callable[[Sequence[str]], dict[str, list[Any]]]


def _opened(path: Path) -> AbstractContextManager[_Opened]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such table")
    openers = {".csv": _open_csv, ".tsv": _open_csv, ".parquet": _open_parquet}
    if path.suffix.lower() not in openers:
        raise ValueError(f"{path}: expected a table ending in {', '.join(openers)} (got {path.suffix or 'no ending'})")
    return openers[path.suffix.lower()](path)


@contextmanager
def _open_csv(path: Path) -> Iterator[_Opened]:
    before = csv.field_size_limit(LONGEST_FIELD)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
            header = [name.strip() for name in next(rows, [])]
            yield _Opened(header, lambda names: _csv_columns(path, rows, header, names))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: expected a CSV table in UTF-8 (got {error})") from error
    finally:
        csv.field_size_limit(before)


def _csv_columns(path: Path, rows: Any, header: list[str], names: Sequence[str]) -> dict[str, list[Any]]:
    places = [header.index(name) for name in names]
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for row in rows:
        if row and len(row) != len(header):
            raise ValueError(f"{path}: line {rows.line_num} must have {len(header)} values (got {len(row)})")
        for name, place in zip(names, places, strict=True):
            columns[name].append(row[place] if row else "")
    return columns


@contextmanager
def _open_parquet(path: Path) -> Iterator[_Opened]:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise ImportError(f"{path}: Parquet tables need pyarrow: pip install 'labelgraph[tables]'") from error

    def read(names: Sequence[str]) -> dict[str, list[Any]]:
        table = file.read(columns=list(names), use_threads=False)
        return {name: table.column(name).to_pylist() for name in names}

    try:
        file = parquet.ParquetFile(path)
        yield _Opened(list(file.schema_arrow.names), read)
    except Exception as error:  # Damage shows in many ways; all of them are one to the user.
        if isinstance(error, ValueError) and str(error).startswith(f"{path}: "):
            raise
        raise ValueError(f"{path}: expected a Parquet table (got {type(error).__name__}: {error})") from error


SPLIT_NAMES = {"val": "validation", "valid": "validation", "dev": "validation"}


@dataclass(frozen=True, eq=False)
class Table:
    """Raw items of a table, of which features are yet to be made.

    Attributes:
        image_paths: A path per item, or ``None`` where it has no picture.
        captions: A text per item, empty where it has none.
        labels: Multi-hot labels, shape (N, C), CSR of ``uint8``.
        label_names: The C tags, sorted.
        ids: What users call the items.
        titles: What to show of them.
        splits: Row numbers of the items by split.
        empty: Numbers of the rows of the table, from 0, that were left out: neither picture nor caption.
        unlabelled: Rows of the items, from 0, that have no label left.
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

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def tags(self) -> list[list[str]]:
        """The tags of each item."""
        parts = np.split(self.labels.indices, self.labels.indptr[1:-1])
        return [[self.label_names[column] for column in part.tolist()] for part in parts]

    @property
    def present(self) -> np.ndarray:
        """Which side of each item is there, image and text, shape (N, 2)."""
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
    separator: str = ";",
    min_count: int = 1,
) -> Table:
    r"""Read a table of pictures, captions and tags.

    A CSV file in UTF-8 (``.csv``, or ``.tsv`` with tabs), its first row the names of the columns, or a Parquet file
    (``.parquet``). Spaces around values are cut off. Rows with neither picture nor caption are left out, and
    those, as rows without a label, are reported in a warning and in the table.

    Args:
        path: The file.
        image: Column of paths of pictures, relative to the file's folder or absolute; ``None`` for none.
        caption: Column of texts; ``None`` for none.
        tags: Column of labels with separators between, or in Parquet of lists of texts.
        split: Column of the names of splits, such as ``train``; ``val``, ``valid`` and ``dev`` mean ``validation``,
            an empty one means none.
        id: Column of what users call the items; by default the numbers of the rows.
        title: Column of what to show of the items; where it is empty, and by default, the caption, or else the id.
        separator: Between tags.
        min_count: Leave out labels that occur less often.

    Returns:
        The items, a `Table`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, lacks a column, or no item or no label is left; the message names
            file and column.
        ImportError: If it is Parquet and pyarrow is not installed.

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
    path = Path(path)
    if not separator or (image is None and caption is None):
        raise ValueError("'separator' must not be empty, nor both 'image' and 'caption' be None (got that)")
    wanted = list(dict.fromkeys(name for name in (image, caption, tags, split, id, title) if name is not None))
    columns = read_columns(path, wanted)
    size = len(columns[tags])
    pictures, captions, splits, titles = (_texts(path, columns, name, size) for name in (image, caption, split, title))
    kept = [row for row in range(size) if pictures[row] or captions[row]]
    if not kept:
        raise ValueError(f"{path}: expected rows with a picture or a caption (got {size} rows with neither)")
    labels, names = _multi_hot(path, [_tags(columns[tags][row], separator) for row in kept], min_count)
    ids = _texts(path, columns, id, size) if id is not None else list(map(str, range(size)))
    table = Table(
        image_paths=[path.parent / pictures[row] if pictures[row] else None for row in kept],
        captions=[captions[row] for row in kept],
        labels=labels,
        label_names=names,
        ids=[ids[row] for row in kept],
        titles=[titles[row] or captions[row] or ids[row] for row in kept],
        splits=_splits([splits[row] for row in kept]),
        empty=tuple(sorted(set(range(size)) - set(kept))),
        unlabelled=tuple(np.flatnonzero(np.diff(labels.indptr) == 0).tolist()),
    )
    _report(path, table)
    return table


def _texts(path: Path, columns: dict[str, list[Any]], name: str | None, size: int) -> list[str]:
    if name is None:
        return [""] * size
    if any(isinstance(value, list | dict | bytes) for value in columns[name]):
        raise ValueError(f"{path}: column '{name}' must hold texts (got lists or bytes)")
    return ["" if value is None else str(value).strip() for value in columns[name]]


def _tags(value: Any, separator: str) -> list[str]:
    parts = value if isinstance(value, list) else str(value or "").split(separator)
    return sorted({str(part).strip() for part in parts if part is not None} - {""})


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


def _splits(names: list[str]) -> dict[str, np.ndarray]:
    meant = np.array([SPLIT_NAMES.get(name.lower(), name) for name in names])
    return {str(name): np.flatnonzero(meant == name) for name in dict.fromkeys(meant.tolist()) if name}


def _report(path: Path, table: Table) -> None:
    reports = {"rows left out, with no picture and no caption": table.empty, "items without a label": table.unlabelled}
    for what, rows in reports.items():
        if rows:
            shown = ", ".join(map(str, rows[:5]))
            warnings.warn(f"{path}: {len(rows)} {what}: {shown}{', ...' if len(rows) > 5 else ''}", stacklevel=3)
