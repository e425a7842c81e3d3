"""The artists' own keywords as labels of the bundled pictures: cleaning, texts without keywords, splits."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from benchmarks.datasets.openclipart.annotations import (
    FILING,
    NOISE,
    SIGNATURES,
    Record,
    Table,
    author_words,
    label_matrix,
    without_rare,
    word_matrix,
)
from labelgraph.data.splits.strategies import by_rarest_label, systematic
from labelgraph.encoders import words_of

MIN_KEYWORD_COUNT = 2
MIN_WORD_COUNT = 2  # A word of a rare keyword's pictures is rare itself.
DROPPED = FILING | NOISE | SIGNATURES | {"clip art", "no", "unchecked"}
LETTER = re.compile(r"[^\W\d_]")
SIBILANTS = ("s", "x", "z", "ch", "sh")


def spelled(keyword: str) -> str:
    """Write a keyword with spaces where the files have underscores."""
    return " ".join(keyword.replace("_", " ").split())


def singulars(name: str) -> list[str]:
    """List what a name may be the plain English plural of."""
    forms = [name[:-3] + "y"] if name.endswith("ies") else []
    forms += [name[:-2]] if name.endswith(tuple(f"{end}es" for end in SIBILANTS)) else []
    return forms + ([name[:-1]] if name.endswith("s") and not name.endswith("ss") else [])


def is_label(keyword: str, record: Record) -> bool:
    """Tell whether a keyword says what is in the picture, rather than file it or name its author."""
    name = spelled(keyword)
    words = words_of(name)
    is_author = bool(words) and author_words(record).issuperset(words)
    return bool(LETTER.search(name)) and DROPPED.isdisjoint({keyword, name}) and not is_author


def keyword_table(records: Sequence[Record]) -> dict[str, list[str]]:
    """Map each label name to its keywords: one spelling with or without spaces and hyphens, one number.

    A plural joins its singular if some picture has the singular. The name is the longest spelling of the singular.
    """
    used = sorted({keyword for record in records for keyword in record.keywords if is_label(keyword, record)})
    spellings = defaultdict(set)
    for keyword in used:
        spellings[re.sub(r"[ -]", "", spelled(keyword))].add(keyword)
    table: dict[str, list[str]] = defaultdict(list)
    for key in spellings:
        one = next((form for form in singulars(key) if form in spellings), key)
        name = max(sorted(map(spelled, spellings[one])), key=len)
        table[name] += sorted(spellings[key])
    return {name: sorted(table[name]) for name in sorted(table)}


def without_noise(record: Record) -> Record:
    """Leave out the keywords that are no labels, such as the author's name."""
    return replace(record, keywords=tuple(keyword for keyword in record.keywords if is_label(keyword, record)))


def title_words(records: Sequence[Record]) -> list[Record]:
    """Leave of each picture what its text is made of: title and description, without file name and keywords."""
    return [replace(record, id="", keywords=()) for record in records]


def without_copies(records: Sequence[Record], table: Table) -> dict[str, Sequence[str]]:
    """Keep, of the labels that just the same pictures carry, the one with the longest name."""
    longest: dict[bytes, str] = {}
    for name, column in zip(table, label_matrix(records, table).T, strict=True):
        longest[column.tobytes()] = max(longest.get(column.tobytes(), ""), name, key=len)
    return {name: table[name] for name in sorted(longest.values())}


@dataclass(frozen=True)
class Keyworded:
    """The pictures with keywords and words, as indices of those given, with their labels and texts."""

    kept: np.ndarray
    table: Mapping[str, Sequence[str]]
    labels: np.ndarray
    text: csr_array
    vocabulary: list[str]


def settle_keywords(
    records: Sequence[Record], minimum: int = MIN_KEYWORD_COUNT, min_words: int = MIN_WORD_COUNT
) -> Keyworded:
    """Drop rare keywords, rare words and the pictures left without any of either, until nothing is dropped."""
    cleaned = [without_noise(record) for record in records]
    kept = np.arange(len(records))
    while True:
        remaining = [cleaned[index] for index in kept.tolist()]
        table = without_copies(remaining, without_rare(remaining, keyword_table(remaining), minimum))
        labels = label_matrix(remaining, table)
        text, vocabulary = word_matrix(title_words(remaining), set(), min_words)
        described = labels.any(axis=1) & (np.diff(text.indptr) > 0)
        if described.all():
            return Keyworded(kept, table, labels, text, vocabulary)
        kept = kept[described]


VALIDATION = 400
TEST = 1000
SEED = 0


def reserve(labels: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Reserve for every label a picture for training, and then, where one is free, a picture for the test.

    The rarest labels come first. A picture that is reserved already serves all its labels.
    """
    owner = np.full(len(labels), "", dtype="<U5")
    rarest_first = np.argsort(labels.sum(axis=0, dtype=np.int64), kind="stable")
    for part in ("train", "test"):
        for label in rarest_first:
            items = rng.permutation(np.flatnonzero(labels[:, label]))
            free = items[owner[items] == ""]
            if part not in owner[items] and len(free):
                owner[free[0]] = part
    return {part: np.flatnonzero(owner == part) for part in ("train", "test")}


def split_keywords(
    labels: np.ndarray, validation: int = VALIDATION, test: int = TEST, seed: int = SEED
) -> dict[str, np.ndarray]:
    """Split into train, validation, test; query is the test, database all the rest. Sorted int32 indices.

    Pictures that are not reserved are drawn systematically, ordered by their rarest label.
    """
    rng = np.random.default_rng(seed)
    reserved = reserve(labels, rng)
    order = by_rarest_label(labels, rng)
    free = order[~np.isin(order, np.concatenate([*reserved.values()]))]
    test_items, rest = systematic(free, test - len(reserved["test"]), rng)
    validation_items, train_items = systematic(rest, validation, rng)
    parts = {
        "train": np.concatenate([reserved["train"], train_items]),
        "validation": validation_items,
        "test": np.concatenate([reserved["test"], test_items]),
    }
    parts |= {"query": parts["test"], "database": np.concatenate([parts["train"], validation_items])}
    return {name: np.sort(items).astype(np.int32) for name, items in parts.items()}
