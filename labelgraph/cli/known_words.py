"""What a model knows of a sentence, told before the search."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from labelgraph.cli.output import note
from labelgraph.features import BagOfWords, Encoder


def tell_words(encoder: Encoder, texts: Iterable[str], label_names: Sequence[str], chosen: Collection[str]) -> None:
    """Note the words that a model does not know, and labels that a text names and that could filter.

    Args:
        encoder: Of the texts; one that reads whole sentences knows all words.
        texts: To search for.
        label_names: Of the items that are searched in.
        chosen: Those that filter already.

    Raises:
        ValueError: If no word of a text is known.
    """
    for text in texts:
        named = [name for name in named_labels(text, label_names) if name not in chosen]
        unknown = encoder.unknown_words(text) if isinstance(encoder, BagOfWords) else []
        if isinstance(encoder, BagOfWords) and not encoder.prepare(text):
            hint = f"; {named[0]!r} is a label: --labels takes it, beside other words" if named else ""
            raise ValueError(f"'--text' must have a word that the model knows (got {text!r}){hint}")
        if unknown:
            note(f"{text!r}: the model does not know {', '.join(map(repr, unknown))}, and leaves that out")
        if named:
            options = " ".join(name if re.fullmatch(r"[\w-]+", name) else f"'{name}'" for name in named)
            which = f"{named[0]!r} is a label" if len(named) == 1 else f"{', '.join(map(repr, named))} are labels"
            note(f"{text!r}: {which}; --labels {options} finds only what has {'it' if len(named) == 1 else 'one'}")


def named_labels(text: str, label_names: Iterable[str]) -> list[str]:
    """The labels whose words stand side by side in a text, in any capitals.

    Example:
        >>> from labelgraph.cli.known_words import named_labels
        >>> named_labels("A night sky, and birds", ["bird", "Night_sky", "sky"])
        ['Night_sky', 'sky']
    """
    within = _spaced(text)
    return [name for name in label_names if (words := _spaced(name)).strip() and words in within]


def _spaced(text: str) -> str:
    words = re.findall(r"[^\W_]+", text.casefold())
    return f" {' '.join(words)} "
