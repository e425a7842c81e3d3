"""Known words that are near an unknown word of a query: its singular or plural, or its correct spelling."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

from labelgraph.encoders.words import words_of

ENDINGS = (("s", ""), ("es", ""), ("ies", "y"))  # Of the plural and the singular.
FEWEST, FEWEST_REPLACED = 5, 7  # Letters of a word that may have an error; "horse" and "house" are different words.


def respelled(text: str, vocabulary: Collection[str], label_names: Iterable[str]) -> tuple[str, dict[str, str]]:
    """Replace the unknown words of a text by near known words, where there are any.

    Args:
        text: A query.
        vocabulary: Words as `labelgraph.encoders.words_of` returns them.
        label_names: Labels, whose words are also known.

    Returns:
        The text, and the known word for each word that was replaced.

    Example:
        >>> from labelgraph.encoders.near_words import respelled
        >>> respelled("Two dogs and a horse", {"dog", "house", "two"}, ["Ice cream"])
        ('Two dog and a horse', {'dogs': 'dog'})
    """
    known = {*vocabulary, *_words_of_all(tuple(label_names))}
    replaced: dict[str, str] = {}

    def replace(match: re.Match[str]) -> str:
        words = words_of(match[0])
        near = near_word(words[0], known) if len(words) == 1 and words[0] not in known else None
        if near is None:
            return match[0]
        replaced[words[0]] = near
        return near

    return re.sub(r"[^\W\d_]+", replace, text), replaced


@lru_cache(maxsize=8)
def _words_of_all(label_names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word for name in label_names for word in words_of(name))


def near_word(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is the singular or plural of a word, or else differs by one typing error.

    A typing error is a letter too many or too few, or two letters swapped, in words of at least 5 letters; or another
    letter, in words of at least 7. The first letter must be right. Of several words, the first in the alphabet is
    returned.

    Example:
        >>> from labelgraph.encoders.near_words import near_word
        >>> [near_word(word, ["city", "flower"]) for word in ("cities", "flwoer", "flowres", "flour")]
        ['city', 'flower', None, None]
    """
    words = sorted(known)
    plurals = {f"{word[: len(word) - len(other)]}{end}" for end, other in ENDINGS if word.endswith(other)}
    forms = plurals.union(singular(word))
    return next((each for each in words if each in forms), None) or next(
        (each for each in words if len(word) >= FEWEST and is_typing_error(word, each)), None
    )


def singular(word: str) -> list[str]:
    """Return the words of which a word may be the English plural.

    Example:
        >>> from labelgraph.encoders.near_words import singular
        >>> singular("cities"), singular("cat")
        (['citie', 'citi', 'city'], [])
    """
    return [f"{word[: len(word) - len(end)]}{other}" for end, other in ENDINGS if word.endswith(end)]


def is_typing_error(word: str, other: str) -> bool:
    """Whether a word differs from another by one typing error, see `near_word`."""
    if (
        word == other
        or word[:1] != other[:1]
        or abs(len(word) - len(other)) > 1
        or min(len(word), len(other)) < FEWEST - 1
    ):
        return False
    start = next((at for at, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), min(len(word), len(other)))
    rest, rest_of_other = word[start:], other[start:]
    if len(word) != len(other):
        short, long = sorted((rest, rest_of_other), key=len)
        return long[1:] == short
    swapped = rest[1::-1] == rest_of_other[:2] and rest[2:] == rest_of_other[2:]
    return swapped or (len(word) >= FEWEST_REPLACED and rest[1:] == rest_of_other[1:])
