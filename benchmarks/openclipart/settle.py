"""Which pictures, labels and words stay, each depending on the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from .labels import Table, label_matrix, without_rare
from .metadata import Record
from .words import word_matrix


@dataclass(frozen=True)
class Settled:
    """The pictures that stay, as indices of those given, with their labels and words."""

    kept: np.ndarray
    table: Mapping[str, Sequence[str]]
    labels: np.ndarray
    text: csr_array
    vocabulary: list[str]


def settle(records: Sequence[Record], table: Table) -> Settled:
    """Drop rare labels, rare words and the pictures left without any of either, until nothing is dropped.

    A picture dropped for its words may make a label rare, whose keywords are words from then on.
    """
    kept = np.arange(len(records))
    while True:
        remaining = [records[index] for index in kept.tolist()]
        table = without_rare(remaining, table)
        labels = label_matrix(remaining, table)
        merged = {keyword for keywords in table.values() for keyword in keywords}
        text, vocabulary = word_matrix(remaining, merged)
        described = labels.any(axis=1) & (np.diff(text.indptr) > 0)
        if described.all():
            return Settled(kept, table, labels, text, vocabulary)
        kept = kept[described]
