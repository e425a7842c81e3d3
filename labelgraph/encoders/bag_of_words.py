"""Texts as bags of words over a fixed vocabulary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from labelgraph._core.reading import quoted
from labelgraph.encoders.encoder import Encoder, Item, check_text
from labelgraph.encoders.words import words_of


class BagOfWords(Encoder):
    """Presence or counts of the words of a vocabulary in each text, as a SciPy CSR array.

    Args:
        vocabulary: Words as `words_of` returns them, in the order of the features.
        binary: Features are 1 for each word in the text; otherwise, they are word counts.

    Raises:
        ValueError: If the vocabulary is empty, repeats a word, or has a word that `words_of` never returns.

    Example:
        >>> from labelgraph.encoders import BagOfWords
        >>> encoder = BagOfWords.fit(["A red bird", "Two birds, red and blue", "A blue fish"], min_count=2)
        >>> encoder.vocabulary
        ('blue', 'red')
        >>> encoder.encode(["Blue, blue sky!"]).toarray()
        array([[1., 0.]], dtype=float32)
    """

    name = "bag-of-words"
    side = "text"
    sparse = True

    def __init__(self, vocabulary: Sequence[str], binary: bool = True) -> None:
        listed = isinstance(vocabulary, Iterable) and not isinstance(vocabulary, str)
        if not listed or not all(isinstance(word, str) for word in vocabulary):
            raise ValueError(f"'vocabulary' must be a list of words (got {quoted(vocabulary, 60)})")
        if not isinstance(binary, bool):
            raise ValueError(f"'binary' must be true or false (got {quoted(binary, 60)})")
        self.vocabulary = tuple(vocabulary)
        self.binary = binary
        self._column = {word: column for column, word in enumerate(self.vocabulary)}
        if not self.vocabulary or len(self._column) != len(self.vocabulary):
            got = "none" if not self.vocabulary else f"{Counter(self.vocabulary).most_common(1)[0][0]!r} twice"
            raise ValueError(f"'vocabulary' must have distinct words, at least one (got {got})")
        if strange := next((word for word in self.vocabulary if words_of(word) != [word]), None):
            raise ValueError(f"'vocabulary' must have words as 'words_of' gives them (got {strange!r})")

    @classmethod
    def fit(
        cls,
        texts: Iterable[str],
        min_count: int = 3,
        max_words: int | None = None,
        stop_words: Collection[str] = (),
        binary: bool = True,
    ) -> Self:
        """Build the vocabulary from texts, in alphabetical order.

        Args:
            texts: Texts, such as the captions of the training items.
            min_count: Minimum number of texts with a word.
            max_words: Maximum number of words; words in the most texts are preferred, ties are alphabetical.
            stop_words: Words to leave out; `words_of` is applied to them too.
            binary: Use presence instead of counts, as in `BagOfWords`.

        Raises:
            ValueError: If no word is left.
        """
        counts = Counter(word for text in texts for word in set(words_of(check_text(text))))
        left_out = {word for text in stop_words for word in words_of(text)}
        frequent = [(word, n) for word, n in counts.items() if n >= min_count and word not in left_out]
        frequent.sort(key=lambda pair: (-pair[1], pair[0]))
        if not frequent:
            raise ValueError(f"'texts' must have a word that {min_count} of them share (got none)")
        return cls(sorted(word for word, _ in frequent[:max_words]), binary)

    @property
    def channels(self) -> int:
        """Number of words in the vocabulary."""
        return len(self.vocabulary)

    @property
    def options(self) -> dict[str, Any]:
        """The vocabulary, and whether the features are binary."""
        return {"vocabulary": list(self.vocabulary), "binary": self.binary}

    @classmethod
    def from_options(cls, options: Mapping[str, Any], device: str = "cpu") -> Self:
        """Build an encoder from its ``options``; the device is ignored."""
        return cls(**options)

    def unknown_words(self, text: str) -> list[str]:
        """Distinct unknown words of a text, in order: words that are not in the vocabulary.

        Example:
            >>> from labelgraph.encoders import BagOfWords
            >>> BagOfWords(["bird", "red"]).unknown_words("A red fish on a dish, a red dish")
            ['fish', 'dish']
        """
        return [word for word in dict.fromkeys(words_of(check_text(text))) if word not in self._column]

    def prepare(self, item: Item) -> Counter[int]:
        """Count the words of a text, by column of the vocabulary."""
        words = words_of(check_text(item))
        return Counter(self._column[word] for word in words if word in self._column)

    def embed(self, prepared: Sequence[Counter[int]]) -> sp.csr_array:
        """Combine word counts into a CSR array."""
        indptr = np.cumsum([0, *map(len, prepared)])
        columns = np.array([column for bag in prepared for column in sorted(bag)], dtype=np.int32)
        values = np.array([1 if self.binary else bag[column] for bag in prepared for column in sorted(bag)], np.float32)
        return sp.csr_array((values, columns, indptr), shape=(len(prepared), self.channels))
