"""The words of text queries: which of them a model knows, and what it reads instead of the others."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from labelgraph.cli.common import note
from labelgraph.cli.queries import query_encoder
from labelgraph.encoders import BagOfWords, words_of
from labelgraph.encoders.near_words import respelled
from labelgraph.methods import Method
from labelgraph.search import Searcher
from labelgraph.search.query_vectors import named_labels


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
    return method.ranks_by_labels


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
# English words that name nothing, so that no spelling of them is meant.
FUNCTION_WORDS = frozenset((
    "about", "above", "after", "along", "among", "around", "before", "behind", "below", "beside", "between", "from",
    "inside", "into", "near", "next", "onto", "other", "over", "some", "that", "their", "them", "then", "there",
    "these", "they", "this", "those", "through", "under", "upon", "what", "when", "where", "which", "while", "with",
    "within", "without", "your",
))  # fmt: skip


def _near_words(unknown: Iterable[str], known: Sequence[str]) -> str:
    """Return a hint with known words that are spelled nearly like the unknown words."""
    lower = {name.casefold(): name for name in known}
    long = [word for word in unknown if len(word) >= FEWEST_LETTERS and word not in FUNCTION_WORDS]
    near = {word: difflib.get_close_matches(word, lower, n=2, cutoff=0.75) for word in long}
    listed = [repr(lower[each]) for words in near.values() for each in words]
    return f"; did you mean {' or '.join(listed[:3])}?" if listed else ""


def _filter_hint(named: Sequence[str]) -> str:
    options = " ".join(name if re.fullmatch(r"[\w-]+", name) else f"'{name}'" for name in named)
    if len(named) == 1:
        return f"{named[0]!r} is a label; --labels {options} finds only items with it"
    return f"{', '.join(map(repr, named))} are labels; --labels {options} finds only items with one of them"
