"""Splitting texts in any script into words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from labelgraph._core.argument_kinds import received

SHORTEST = 3  # Minimum number of letters; shorter words are mostly articles and prepositions.
SHORTEST_SYLLABIC = 2
ASCII_WORD = re.compile(r"[a-z]+")
# Scripts in which accents and vowel points are removed; in others, marks are vowels or change the letter.
FOLDED = ("LATIN", "GREEK", "ARABIC", "HEBREW")
ALPHABETS = (*FOLDED, "CYRILLIC", "ARMENIAN", "GEORGIAN", "COPTIC")
JOINERS = "\u200c\u200d\u00ad"  # Zero-width characters within words.


def words_of(text: str) -> list[str]:
    """List the words of a text, in lower case.

    Words are runs of letters and their marks, as in Unicode text segmentation (UAX 29). Each ideograph and each
    hiragana is a separate word, and digits are not words. Accents are removed in Latin and Greek, and
    vowel points in Arabic and Hebrew; in all other scripts, marks stay. In alphabets, words of fewer than three letters
    are left out. Thai, Lao, Khmer and Burmese phrases are split only at spaces, because splitting them into words
    requires a dictionary.

    Example:
        >>> from labelgraph.encoders import words_of
        >>> words_of("Élan vital, 12 ox & 3rd_Étage")
        ['elan', 'vital', 'etage']
        >>> words_of("红色的猫"), words_of("हिन्दी में बिल्ली")
        (['红', '色', '的', '猫'], ['हिन्दी', 'में', 'बिल्ली'])
    """
    if not isinstance(text, str):
        raise ValueError(f"'text' must be a text (got {received(text)})")
    if text.isascii():
        return [word for word in ASCII_WORD.findall(text.lower()) if len(word) >= SHORTEST]
    return [word for word in map("".join, _runs(_folded(text))) if _is_long_enough(word)]


def _folded(text: str) -> str:
    characters, folds = [], False
    for character in unicodedata.normalize("NFKD", text):
        if unicodedata.category(character)[0] != "M":
            folds = _script(character) in FOLDED
            characters.append(character)
        elif not folds:
            characters.append(character)
    return unicodedata.normalize("NFC", "".join(characters).lower())


def _runs(text: str) -> Iterator[list[str]]:
    """Yield runs of letters of one kind with their marks."""
    run: list[str] = []
    kind = ""
    for character in text:
        if run and (unicodedata.category(character)[0] == "M" or character in JOINERS):
            run += [] if character in JOINERS else [character]
            continue
        before, kind = kind, _kind(character)
        if run and (kind != before or kind == "alone"):
            yield run
            run = []
        if kind:
            run.append(character)
    if run:
        yield run


@lru_cache(maxsize=4096)
def _script(character: str) -> str:
    """The first word of the Unicode name of a character, such as ``LATIN``."""
    return unicodedata.name(character, "").partition(" ")[0]


@lru_cache(maxsize=4096)
def _kind(character: str) -> str:
    """The kind of a character: a separate word, a letter of a word, or neither (empty)."""
    if not character.isalpha():
        return ""
    script = _script(character)
    if script in ("CJK", "HIRAGANA"):
        return "alone"
    return "katakana" if script.startswith("KATAKANA") else "letter"


def _is_long_enough(word: str) -> bool:
    if _kind(word[0]) == "alone":
        return True
    shortest = SHORTEST if _script(word[0]) in ALPHABETS else SHORTEST_SYLLABIC
    return len(unicodedata.normalize("NFD", word)) >= shortest
