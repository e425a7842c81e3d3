"""The queries of `labelgraph search`, and the check that the model knows their words."""

from __future__ import annotations

import difflib
import re
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from labelgraph._core.names import did_you_mean
from labelgraph.cli.common import note
from labelgraph.cli.inputs import check_file
from labelgraph.data import CrossModalData
from labelgraph.encoders import BagOfWords, Encoder, build_encoder, words_of
from labelgraph.encoders.near_words import respelled
from labelgraph.inference import SIDES
from labelgraph.methods import Method
from labelgraph.search import Neighbours, Searcher
from labelgraph.search.fusion import FUSED
from labelgraph.search.query_vectors import named_labels

WEAK = 0.1  # An expected Jaccard coefficient below which an item hardly shares a label with the query.


def known_words(method: Method, label_names: Sequence[str]) -> list[str]:
    """Return the words that a text query can use, in alphabetical order: the vocabulary, and the labels if they count.

    Raises:
        ValueError: If the model has no text encoder, or its encoder has no vocabulary because it reads any word.
    """
    encoder = query_encoder(method, "text")
    if not isinstance(encoder, BagOfWords):
        raise ValueError(f"'--list-words' needs a model with a vocabulary (got {encoder.name}, which reads any words)")
    return sorted({*encoder.vocabulary, *(label_names if labels_count(method) else ())})


def every_label(searcher: Searcher) -> list[str]:
    """Return the labels of the items, and those that were added to the model."""
    graph = searcher.method._graph
    return list(dict.fromkeys([*searcher.label_names, *(graph.label_names if graph is not None else ())]))


def labels_count(method: Method) -> bool:
    """Return whether label names in a text query count; they do if the model ranks by label probabilities."""
    return method.similarity == "jaccard"


@dataclass(frozen=True)
class ReadText:
    """What a model reads in a text query.

    Args:
        text: The query.
        replaced: The known word for each word that is read as another.
        found: Unknown words that are searched in the captions.
        unknown: The other unknown words.
        named: Labels that the text names.
        usable: Whether these labels count in the search.
        near: A hint with known words that are spelled nearly like the unknown ones; may be empty.
        known: Whether the text has a word that the model knows.
    """

    text: str
    replaced: dict[str, str]
    found: Sequence[str]
    unknown: list[str]
    named: list[str]
    usable: bool
    near: str
    known: bool

    def notes(self, lexical: bool = False) -> list[str]:
        """Return what a user should know about words that are replaced, only searched in captions, or ignored."""
        said = [
            f"{self.text!r}: read {word!r} as {known!r}, because the model does not know {word!r}"
            for word, known in self.replaced.items()
        ]
        if self.found:
            nouns = ("is no known word", "its") if len(self.found) == 1 else ("are no known words", "their")
            words = ", ".join(map(repr, self.found))
            said.append(f"{self.text!r}: {words} {nouns[0]}: found by {nouns[1]} captions")
        if self.unknown:
            only = "only searched in the captions: " if lexical else "ignored "
            words = ", ".join(map(repr, self.unknown))
            said.append(f"{self.text!r}: {only}{words}, which the model does not know{self.near}")
        return said


def read_text(
    method: Method, text: str, label_names: Sequence[str], chosen: Collection[str], found: Sequence[str]
) -> ReadText:
    """Return what a model reads in a text; an encoder without a vocabulary knows every word.

    Args:
        method: The model.
        text: Text query.
        label_names: Labels of the gallery.
        chosen: Labels that filter the results.
        found: Unknown words that are searched in the captions.
    """
    encoder = query_encoder(method, "text")
    if not isinstance(encoder, BagOfWords):
        return ReadText(text, {}, (), [], [], True, "", True)
    usable = label_names if labels_count(method) else ()
    spelled, replaced = respelled(text, encoder.vocabulary, usable)
    named = [name for name in named_labels(spelled, label_names) if name not in chosen]
    label_words = {word for name in named for word in words_of(name)} if usable else set()
    unknown = [word for word in encoder.unknown_words(spelled) if word not in label_words]
    near = _near_words(unknown, [*encoder.vocabulary, *label_names])
    known = bool(encoder.prepare(spelled) or (named and usable))
    unknown = [word for word in unknown if word not in found]
    return ReadText(text, replaced, found, unknown, named, bool(usable), near, known)


def answerable(
    method: Method,
    texts: Sequence[str],
    label_names: Sequence[str],
    chosen: Collection[str],
    lexical: bool,
    in_captions: Sequence[Sequence[str]],
) -> tuple[list[str], dict[str, str]]:
    """Separate the texts that have a known word from the others, and print notes on ignored and replaced words.

    Args:
        method: The model.
        texts: Text queries.
        label_names: Labels of the gallery.
        chosen: Labels of the option `--labels`, which filters the results.
        lexical: Whether captions are searched by their words, so that no text needs a known word.
        in_captions: Unknown words of each text that are searched in the captions.

    Returns:
        The texts with a known word; and the other texts, each with an error message.
    """
    good, refused = [], {}
    for text, found in zip(texts, in_captions, strict=True):
        read = read_text(method, text, label_names, chosen, found)
        named = read.named
        if not (lexical or found or read.known):
            hint = read.near
            if named:
                hint = f"; {named[0]!r} is a label: use --labels {named[0]}, and other words for --text"
            refused[text] = (
                f"'--text' must have a word that the model knows (got {text!r}){hint}; --list-words lists the "
                "words, --lexical searches the captions for any word"
            )
            continue
        good.append(text)
        for each in read.notes(lexical):
            note(each)
        if named and not read.usable:
            note(f"{text!r}: {_filter_hint(named)}")
    return good, refused


FEWEST_LETTERS = 4  # Of a word that has near words: "the" is no "theme".


def _near_words(unknown: Iterable[str], known: Sequence[str]) -> str:
    """Return a hint with known words that are spelled nearly like the unknown words."""
    lower = {name.casefold(): name for name in known}
    long = [word for word in unknown if len(word) >= FEWEST_LETTERS]
    near = {word: difflib.get_close_matches(word, lower, n=2, cutoff=0.75) for word in long}
    listed = [repr(lower[each]) for words in near.values() for each in words]
    return f"; did you mean {' or '.join(listed[:3])}?" if listed else ""


def _filter_hint(named: Sequence[str]) -> str:
    options = " ".join(name if re.fullmatch(r"[\w-]+", name) else f"'{name}'" for name in named)
    if len(named) == 1:
        return f"{named[0]!r} is a label; --labels {options} finds only items with it"
    return f"{', '.join(map(repr, named))} are labels; --labels {options} finds only items with one of them"


@dataclass(frozen=True)
class Queries:
    """Queries of one side.

    Args:
        side: ``image`` or ``text``.
        features: One row of features per query.
        names: One name per query, such as the id of its item.
        titles: One title per query to show; the name if the query has no title.
    """

    side: str
    features: Any
    names: list[str]
    titles: list[str]


@dataclass(frozen=True)
class Answer:
    """The results of one query, the best first.

    Args:
        ids: Ids of the items.
        titles: Their titles.
        scores: Their scores.
        score_name: Name of the scores.
        dropped: Number of items that were ranked, but match by nothing: their score in a fusion is 0.
    """

    ids: list[str]
    titles: list[str]
    scores: list[float]
    score_name: str
    dropped: int = 0

    @classmethod
    def of(cls, results: Neighbours) -> list[Self]:
        """Return the answer to each query of a search."""
        answers = []
        for ids, titles, scores in zip(results.ids, results.titles, results.scores.tolist(), strict=True):
            matching = len(ids)
            if results.score_name == FUSED:
                matching = sum(score > 0 for score in scores)
            kept = (ids[:matching], titles[:matching], scores[:matching])
            answers.append(cls(*kept, results.score_name, len(ids) - matching))
        return answers

    def rows(self) -> Iterator[tuple[str, str, float]]:
        """Return the id, title and score of each item."""
        return zip(self.ids, self.titles, self.scores, strict=True)


def item_queries(data: CrossModalData, side: str, ids: Sequence[str]) -> Queries:
    """Return items of a data set as queries, by their ids.

    Raises:
        ValueError: If no item has an id, or the item lacks the side.
    """
    row_of = {each: row for row, each in enumerate(data.ids)}
    for each in ids:
        if each not in row_of:
            raise ValueError(f"'--{side}-id' must be the id of an item of the data (got {each!r})"
                             f"{did_you_mean(each, row_of)}")  # fmt: skip
        if not data.present[row_of[each], SIDES.index(side)]:
            raise ValueError(f"'--{side}-id' must be an item with its {side} (got {each!r}, which has no {side})")
    # Not by `select`, because it takes each item only once, and ids may be repeated.
    rows = np.array([row_of[each] for each in ids])
    features = data.image if side == "image" else data.text
    return Queries(side, features[rows], list(ids), [data.titles[row] for row in rows])


def feature_queries(path: Path, side: str) -> Queries:
    """Return the rows of a file of features as queries.

    The file is a ``.npy``, a sparse ``.npz`` of SciPy, or a ``.npz`` with one array.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file cannot be read, or does not hold a matrix.
    """
    check_file(path, "file of features")
    try:
        features = _read(path, side)
    except (
        ValueError, TypeError, OSError, EOFError, AttributeError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error
    ) as error:  # fmt: skip
        raise ValueError(f"{path}: expected a matrix of features in .npy or .npz ({error})") from error
    if features.ndim != 2:
        raise ValueError(f"{path}: expected a matrix of features, one row per query (got shape {features.shape})")
    names = [f"row {row}" for row in range(features.shape[0])]
    return Queries(side, features, names, names)


def query_encoder(method: Method, side: str) -> Encoder:
    """Return the encoder that computed the features of one side of the training data.

    Raises:
        ValueError: If the training data did not record their encoder.
        ImportError: If the encoder needs a package that is not installed.
    """
    if side not in method.encoders:
        raise ValueError(
            f"'--{side}' needs a model with an encoder of {side}s (got none, because its training data do not "
            f"record one); use --{side}s FILE for features, or --{side}-id ID for an item of --data"
        )
    return build_encoder(method.encoders[side])


def _read(path: Path, side: str) -> Any:
    content = np.load(path, allow_pickle=False)
    if isinstance(content, np.ndarray):
        return content
    with content:
        if "format" in content.files:
            return sp.csr_array(sp.load_npz(path))
        (key,) = [side] if side in content.files else content.files
        return content[key]
