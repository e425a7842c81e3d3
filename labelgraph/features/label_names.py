"""Embeddings of label names, from wherever they are asked for."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from labelgraph.data import LabelVectors, encode_label_names, read_label_vectors
from labelgraph.features.sentence import SentenceEncoder

SENTENCE = "sentence"


def label_name_vectors(source: str | Path, label_names: Sequence[str]) -> LabelVectors:
    r"""Embed label names, for ``cooccurrence_graph(..., x=vectors)`` and a label embedding ``"given"``.

    Args:
        source: A file of word vectors, as `labelgraph.data.read_label_vectors` takes it, or ``"sentence"`` for the
            packaged model of `SentenceEncoder`.
        label_names: The :math:`C` names.

    Returns:
        The vectors :math:`(C, F)` and the names that are missing; no warning tells of these.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, of another format, or knows none of the names.
        ImportError: If the sentence encoder is asked for and not installed.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from labelgraph.features import label_name_vectors
        >>> path = Path(tempfile.mkdtemp()) / "words.txt"
        >>> _ = path.write_text("night 1.0 0.0\nsky 0.0 3.0\n")
        >>> label_name_vectors(path, ["night sky", "jigsaw"]).missing
        ('jigsaw',)
    """
    if str(source) == SENTENCE:
        return LabelVectors(encode_label_names(label_names, SentenceEncoder().encode), ())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_label_vectors(source, label_names)
