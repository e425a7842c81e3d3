"""Values of tables: missing ones are missing, and all others are kept or refused."""

from __future__ import annotations

import ast
import json
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
    """Whether a value stands for none: null or NaN."""
    return value is None or (isinstance(value, float) and value != value)


def as_text(where: str, value: Any) -> str:
    """A value of a column as text, without spaces around it; an empty one for a missing value.

    Whole numbers that are stored as floats, because of missing values beside them, have no point.

    Raises:
        ValueError: If it is bytes or a collection.
    """
    if is_missing(value):
        return ""
    if isinstance(value, bytes | list | tuple | dict | set):
        raise ValueError(f"{where} must hold texts (got {quoted(value, 60)})")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def texts(path: Path, name: str, values: Sequence[Any]) -> list[str]:
    """A column of texts.

    Raises:
        ValueError: If a value is no text; the message names column and row.
    """
    return [as_text(f"{path}: column '{name}', row {row},", value) for row, value in enumerate(values)]


def ids_of(path: Path, name: str, values: Sequence[Any], kept: Sequence[int], may_lack: bool) -> list[str]:
    """A column of ids, each there and once among the rows that are kept.

    Args:
        path: The table.
        name: Of the column.
        values: The column.
        kept: Rows that are kept.
        may_lack: Whether a missing id becomes ``item NUMBER``.

    Raises:
        ValueError: If an id is missing or there twice.
    """
    column = texts(path, name, values)
    ids = [column[row] or (f"item {row}" if may_lack else "") for row in kept]
    if not all(ids):
        raise ValueError(f"{path}: column '{name}' must have an id in each row (got none in row {kept[ids.index('')]})")
    try:
        check_distinct(name, ids)
    except ValueError as error:
        got = str(error).partition(" must be distinct ")[2].partition(";")[0]
        raise ValueError(f"{path}: expected each {name} once {got}") from None
    return ids


def split_rows(path: Path, name: str, values: Sequence[str]) -> dict[str, np.ndarray]:
    """Rows by split; an empty value is in none.

    Raises:
        ValueError: If a value is no name of a split.
    """
    meant = [split_name(value) if value else "" for value in values]
    for value in meant:
        if value and value not in NAMES:
            known = ", ".join(NAMES)
            raise ValueError(f"{path}: column '{name}' must be one of {known}, or empty (got {quoted(value, 60)})")
    array = np.array(meant, dtype=str)
    return {split: np.flatnonzero(array == split) for split in dict.fromkeys(meant) if split}


def tags_of(path: Path, name: str, values: Sequence[Any], separator: str | None) -> tuple[list[list[str]], str]:
    """The tags of each row, sorted and each once, and the separator.

    Args:
        path: The table.
        name: Of the column.
        values: Lists of tags; texts with separators between; numbers, truth values.
        separator: By default the one of ``;``, ``|`` and ``,`` that occurs; lists that are written as texts, such as
            ``['cat', 'dog']``, are then read as lists.

    Raises:
        ValueError: If a value is none of these, or several separators occur.
    """
    plain = list(values)
    if separator is None:
        plain = [_list_in_text(value) if isinstance(value, str) else value for value in plain]
        separator = _separator(path, name, [value for value in plain if isinstance(value, str)])
    rows = []
    for row, value in enumerate(plain):
        where = f"{path}: column '{name}', row {row},"
        if isinstance(value, list | tuple):
            parts = [as_text(where, each) for each in value]
        else:
            parts = [part.strip() for part in as_text(where, value).split(separator)]
        rows.append(sorted(set(parts) - {""}))
    return rows, separator


def _list_in_text(value: str) -> Any:
    """A list that a program has written as text, or the text itself."""
    plain = value.strip()
    if plain[:1] == "[" and plain[-1:] == "]":
        for parse in (json.loads, ast.literal_eval):
            with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                parsed = parse(plain)
                return parsed if isinstance(parsed, list) else value
    return value


def _separator(path: Path, name: str, values: Sequence[str]) -> str:
    """The separator that occurs; where several do, the user must tell, as a wrong one spoils all labels."""
    counts = {each: sum(each in value for value in values) for each in SEPARATORS}
    there = [each for each, count in counts.items() if count]
    if len(there) > 1:
        told = " and ".join(f"'{each}' in {counts[each]} rows" for each in there)
        raise ValueError(f"{path}: column '{name}' has {told}; tell by 'separator' which of them separates tags")
    return there[0] if there else SEPARATORS[0]
