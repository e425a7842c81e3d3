"""Keywords merged into labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from .metadata import Record

MINIMUM = 25
TABLE = Path(__file__).with_name("labels.yaml")

Table = Mapping[str, Sequence[str]]


def read_table(path: Path = TABLE) -> dict[str, list[str]]:
    """Read the merge table, label name -> keywords."""
    table: dict[str, list[str]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, keywords in table.items():
        # YAML reads a bare `no` or `2600` as something else than a string.
        if not all(isinstance(keyword, str) for keyword in keywords):
            raise ValueError(f"{path}: quote the keywords of {name!r} that YAML does not read as text")
        if len(set(keywords)) != len(keywords):
            raise ValueError(f"{path}: {name!r} lists a keyword twice")
    return table


def label_matrix(records: Sequence[Record], table: Table) -> np.ndarray:
    """Mark, (N, C) uint8, which pictures carry some keyword of which label, columns as in the table."""
    columns: dict[str, list[int]] = {}
    for column, keywords in enumerate(table.values()):
        for keyword in keywords:
            columns.setdefault(keyword, []).append(column)
    labels = np.zeros((len(records), len(table)), dtype=np.uint8)
    for row, record in enumerate(records):
        labels[row, [column for keyword in record.keywords for column in columns.get(keyword, [])]] = 1
    return labels


def without_rare(records: Sequence[Record], table: Table, minimum: int = MINIMUM) -> dict[str, Sequence[str]]:
    """Keep the part of the table whose labels have at least ``minimum`` of these pictures."""
    positives = label_matrix(records, table).sum(axis=0, dtype=np.int64)
    return {name: table[name] for name, count in zip(table, positives, strict=True) if count >= minimum}
