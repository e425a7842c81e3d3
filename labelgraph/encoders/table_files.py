"""Reader of columns of CSV, TSV and Parquet files, and of shards."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from labelgraph._core.reading import one_line, reading
from labelgraph.encoders.shard_tables import is_sharded, shard_columns

LONGEST_FIELD = 1 << 24
DELIMITERS = ",;\t|"


def column_names(path: str | Path) -> list[str]:
    """Names of the columns of a table that `read_table` accepts.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file cannot be read.
        ImportError: If the file is Parquet and pyarrow is not installed.
    """
    with _opened(Path(path)) as table:
        return table.names


def read_columns(path: Path, names: Sequence[str]) -> dict[str, list[Any]]:
    """Read some columns of a file as lists: texts from a CSV file, values of any type from a Parquet file."""
    with _opened(path) as table:
        for name in names:
            if table.names.count(name) != 1:
                got = one_line(", ".join(table.names)) or "none"
                raise ValueError(f"{path}: expected one column '{name}' (got {got})")
        return table.read(names)


class _Opened(NamedTuple):
    """Names of the columns of an open file, and a function that reads some of them."""

    names: list[str]
    read: Callable[[Sequence[str]], dict[str, list[Any]]]


def _opened(path: Path) -> AbstractContextManager[_Opened]:
    if is_sharded(path):
        columns = shard_columns(path)
        return nullcontext(_Opened(list(columns), lambda names: {name: columns[name] for name in names}))
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
        with reading(path, "a CSV table in UTF-8"), path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(file)
            rows = csv.reader(file, delimiter=delimiter, strict=True)
            header = [name.strip() for name in next(rows, [])]
            yield _Opened(header, lambda names: _csv_columns(path, rows, header, names))
    finally:
        csv.field_size_limit(before)


def _delimiter(file: io.TextIOBase) -> str:
    """The delimiter that divides the header into the most columns; a comma in a tie."""
    line = file.readline(LONGEST_FIELD)
    file.seek(0)
    return max(DELIMITERS, key=lambda delimiter: len(next(csv.reader([line], delimiter=delimiter), [])))


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

    with reading(path, "a Parquet table"), parquet.ParquetFile(path, page_checksum_verification=True) as file:
        yield _Opened(list(file.schema_arrow.names), read)
