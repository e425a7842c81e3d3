"""Conversion of the values of tables: missing values, texts, ids, splits and tags."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from labelgraph._core.array_kinds import check_distinct
from labelgraph._core.reading import quoted
from labelgraph.data.splits.split_names import NAMES, split_name

SEPARATORS = (";", "|", ",")


def is_missing(value: Any) -> bool:
    """Whether a value is null or NaN."""
    return value is None or (isinstance(value, float) and value != value)


def as_text(where: str, value: Any) -> str:
    """Convert a value of a column to text, without spaces around it; a missing value becomes an empty text.

    Integers that are stored as floats, because other values of the column are missing, have no decimal point.

    Raises:
        ValueError: If the value is bytes or a collection.
    """
    if is_missing(value):
        return ""
    if isinstance(value, bytes | list | tuple | dict | set):
        raise ValueError(f"{where} must hold texts (got {quoted(value, 60)})")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def texts(path: Path, name: str, values: Sequence[Any]) -> list[str]:
    """Convert a column to texts.

    Raises:
        ValueError: If a value is not a text; the message names column and row.
    """
    return [as_text(f"{path}: column '{name}', row {row},", value) for row, value in enumerate(values)]


def ids_of(path: Path, name: str, values: Sequence[Any], rows: Sequence[int], may_lack: bool) -> list[str]:
    """Convert a column to ids, which must be present and distinct in the kept rows.

    Args:
        path: The table.
        name: Name of the column.
        values: Values of the column.
        rows: Rows to keep.
        may_lack: Whether a missing id becomes ``item NUMBER``.

    Raises:
        ValueError: If an id is missing or repeated.
    """
    column = texts(path, name, values)
    ids = [column[row] or (f"item {row}" if may_lack else "") for row in rows]
    if not all(ids):
        raise ValueError(f"{path}: column '{name}' must have an id in each row (got none in row {rows[ids.index('')]})")
    try:
        check_distinct(name, ids)
    except ValueError as error:
        got = str(error).partition(" must be distinct ")[2].partition(";")[0]
        raise ValueError(f"{path}: expected each {name} once {got}") from None
    return ids


def split_rows(path: Path, name: str, values: Sequence[str]) -> dict[str, np.ndarray]:
    """Row numbers of each split; a row with an empty value is in no split.

    Raises:
        ValueError: If a value is not the name of a split.
    """
    meant = [split_name(value) if value else "" for value in values]
    for value in meant:
        if value and value not in NAMES:
            known = ", ".join(NAMES)
            raise ValueError(f"{path}: column '{name}' must be one of {known}, or empty (got {quoted(value, 60)})")
    array = np.array(meant, dtype=str)
    return {split: np.flatnonzero(array == split) for split in dict.fromkeys(meant) if split}


def tags_of(
    path: Path, name: str, values: Sequence[Any], separator: str | Sequence[str] | None
) -> tuple[list[list[str]], str | tuple[str, ...]]:
    """The sorted, distinct tags of each row, and the separator.

    Args:
        path: The table.
        name: Name of the column.
        values: Lists of tags, texts with separators, numbers, or booleans.
        separator: Separator of tags, or several; by default ``;``, ``|`` or ``,``, whichever occurs. By default, lists
            written as texts, such as ``['cat', 'dog']``, are read as lists.

    Raises:
        ValueError: If a value is of another type, or several separators occur.
    """
    plain = list(values)
    if separator is None:
        plain = [_list_in_text(value) if isinstance(value, str) else value for value in plain]
        separator = _separator(path, name, [value for value in plain if isinstance(value, str)])
    else:
        separator = separator if isinstance(separator, str) else tuple(separator)
        _warn_of_separator(path, name, [value for value in plain if isinstance(value, str)], separator)
    between = re.compile("|".join(re.escape(mark) for mark in _marks(separator)))
    rows = []
    for row, value in enumerate(plain):
        where = f"{path}: column '{name}', row {row},"
        if isinstance(value, list | tuple):
            parts = [as_text(where, tag) for tag in value]
        else:
            parts = [part.strip() for part in between.split(as_text(where, value))]
        rows.append(sorted(set(parts) - {""}))
    return rows, separator


def _list_in_text(value: str) -> Any:
    """Parse a list that is written as text; any other text is unchanged."""
    plain = value.strip()
    if plain[:1] == "[" and plain[-1:] == "]":
        for parse in (json.loads, ast.literal_eval):
            with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                parsed = parse(plain)
                return parsed if isinstance(parsed, list) else value
    return value


def _separator(path: Path, name: str, values: Sequence[str]) -> str:
    """The separator that occurs; several are an error, because a wrong separator would spoil all labels."""
    counts = _occurrences(values)
    if len(counts) > 1:
        raise ValueError(
            f"{path}: column '{name}' has {_listed(counts)}; set 'separator' to the one between tags, or to several"
        )
    return next(iter(counts), SEPARATORS[0])


def _warn_of_separator(path: Path, name: str, values: Sequence[str], separator: str | tuple[str, ...]) -> None:
    """Warn of a separator that is in no row, if usual ones are."""
    counts = _occurrences(values)
    for mark in _marks(separator):
        if counts and not any(mark in value for value in values):
            warnings.warn(
                f"{path}: column '{name}' has the separator {quoted(mark, 60)} in no row, but {_listed(counts)}",
                stacklevel=5,
            )


def _marks(separator: str | tuple[str, ...]) -> tuple[str, ...]:
    return (separator,) if isinstance(separator, str) else separator


def _occurrences(values: Sequence[str]) -> dict[str, int]:
    """The number of rows with each usual separator that occurs."""
    counts = {mark: sum(mark in value for value in values) for mark in SEPARATORS}
    return {mark: count for mark, count in counts.items() if count}


def _listed(counts: dict[str, int]) -> str:
    return " and ".join(f"'{mark}' in {count} rows" for mark, count in counts.items())
