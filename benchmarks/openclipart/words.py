"""Bags of words from what the metadata says of the pictures."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from labelgraph.features import words_of

from .metadata import Record

MINIMUM = 3
MARKUP = re.compile(r"<[^>]*>|&#?\w+;|(?:https?://|www\.)\S+|\S+@\S+")
CAPITAL_AFTER_SMALL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# Not people: their words (open, art, library) are no author's name.
PUBLISHERS = re.compile(r"open clip ?art (library|project)|(www\.)?openclipart\.org", re.IGNORECASE)
# Months and days are those of upload dates; the other words tell of files, tools and addresses.
NOISE = {
    *("aug", "wed", "http", "www", "com", "org", "svg", "png", "eps", "hash", "converted", "untitled"),
    *("clipart", "cliparts", "openclipart", "inkscape", "sodipodi"),
}
# Keywords that file a picture rather than tell of it; some repeat the folder, some were put in by a script.
FILING = {
    *("appicon", "geometry", "icon", "icons", "lemon_theme_icon", "magick", "miscellany", "recreation"),
    *("shapes", "simple", "special", "theme", "unsorted"),
}
SIGNATURES = {"bwh", "fitzsimons", "ganson"}  # Authors' names that their pictures' creators do not spell out.
STOP_WORDS = ENGLISH_STOP_WORDS | NOISE | SIGNATURES


def author_words(record: Record) -> set[str]:
    """Collect the words of the names under creator, publisher and rights."""
    return {word for name in record.creators for word in words_of(PUBLISHERS.sub(" ", name))}


def file_words(record: Record) -> set[str]:
    """Collect the words of the file name; some are written LikeThis."""
    return set(words_of(CAPITAL_AFTER_SMALL.sub(" ", record.stem)))


def told_words(record: Record, merged: Collection[str]) -> set[str]:
    """Collect the words of title, description and the keywords that are in no label."""
    keywords = [keyword for keyword in record.keywords if keyword not in merged and keyword not in FILING]
    return set(words_of(MARKUP.sub(" ", " ".join([record.title, record.description, *keywords]))))


def names_in(record: Record, merged: Collection[str]) -> set[str]:
    """Pick those of a picture's words that are its author's name."""
    authors = author_words(record)
    # File names end in the author's name cut off anywhere, so there the start of a name is a name too.
    cut = {word for word in file_words(record) if any(name.startswith(word) for name in authors)}
    return cut | (authors & told_words(record, merged))


def bags(records: Sequence[Record], merged: Collection[str]) -> list[set[str]]:
    """Collect the words of each picture, without stop words and authors' names."""
    said = [told_words(record, merged) | file_words(record) for record in records]
    names = [names_in(record, merged) for record in records]
    # Where most pictures that carry a word are by its bearer, the others mean the bearer too.
    carried = Counter(word for bag in said for word in bag)
    borne = Counter(word for bag in names for word in bag)
    everywhere = {word for word, count in borne.items() if 2 * count > carried[word]}
    return [bag - name - everywhere - STOP_WORDS for bag, name in zip(said, names, strict=True)]


def word_matrix(
    records: Sequence[Record], merged: Collection[str], minimum: int = MINIMUM
) -> tuple[csr_array, list[str]]:
    """Mark, (N, V) sparse uint8, the words that at least ``minimum`` pictures carry; and the sorted words."""
    counter = CountVectorizer(analyzer=sorted, binary=True, min_df=minimum, dtype=np.uint8)
    matrix = csr_array(counter.fit_transform(bags(records, merged)))
    matrix.sort_indices()
    return matrix, counter.get_feature_names_out().tolist()
