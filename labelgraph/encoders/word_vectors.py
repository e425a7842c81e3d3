"""Embeddings of label names: word vectors from files, or a sentence encoder."""

from __future__ import annotations

import gzip
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.argument_kinds import as_path
from labelgraph._core.reading import reading
from labelgraph.data.formats.matlab import read_mat
from labelgraph.encoders.sentence import SentenceEncoder

LONGEST_WORD = 4096
LONGEST_LINE = 1 << 20
MOST_CHANNELS = 1 << 16


class LabelVectors(NamedTuple):
    """Embeddings of label names.

    Attributes:
        vectors: Shape (C, F), float32; zero for a name without a known word.
        missing: Names without a known word.
    """

    vectors: Tensor
    missing: tuple[str, ...]


def read_label_vectors(path: str | Path, label_names: Sequence[str]) -> LabelVectors:
    r"""Look up label names in a file of word vectors, for ``cooccurrence_graph(..., x=vectors)``.

    A name is split into words at spaces, underscores and hyphens, and words are compared in lower case. The vector of
    a name is the average over its known words. The file is read as a stream, and only these vectors are kept in
    memory. The ending of the file determines its format:

    - ``.mat`` (MATLAB 5 or 7.3): the matrix ``inp`` :math:`(C, F)`, a row per label in order, without look-up.
    - ``.txt``, ``.vec``: a line per word, with the word and :math:`F` numbers separated by spaces (GloVe). A first
      line with the number of words and :math:`F` is optional (word2vec text, fastText ``.vec``).
    - ``.bin``: a first line with the number of words and :math:`F`, then per word its UTF-8 bytes, a space, and
      :math:`F` little-endian float32 (word2vec binary).
    - ``.gz`` after one of the last three: the same, compressed.

    Args:
        path: The file.
        label_names: The :math:`C` names.

    Returns:
        The vectors and the missing names; a warning reports missing names too.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, of another format, not finite, or has no word of the names.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from labelgraph.encoders import read_label_vectors
        >>> path = Path(tempfile.mkdtemp()) / "words.txt"
        >>> _ = path.write_text("night 1.0 0.0\nSky 0.0 3.0\nthe 5.0 5.0\n")
        >>> read_label_vectors(path, ["sky", "night_sky"]).vectors.tolist()
        [[0.0, 3.0], [0.5, 1.5]]
    """
    path = as_path("path", path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of word vectors")
    endings = [suffix.lower() for suffix in path.suffixes]
    compressed = endings[-1:] == [".gz"]
    ending = ["", *endings][-2] if compressed else ["", *endings][-1]
    if ending == ".mat" and not compressed:
        return LabelVectors(_finite(path, read_mat(path, "inp", shape=(len(label_names), None))), ())
    formats = {".txt": _text_words, ".vec": _text_words, ".bin": _binary_words}
    if ending not in formats:
        raise ValueError(f"{path}: expected an ending .mat, {', '.join(formats)}, or .gz after (got {path.name})")
    words = [re.split(r"[\s_\-]+", name.casefold().strip("_- \t\n")) for name in label_names]
    wanted = {word for name in words for word in name if word}
    with reading(path, "word vectors"), gzip.open(path, "rb") if compressed else path.open("rb") as file:
        vectors_of = _look_up(formats[ending](file, wanted), wanted)  # type: ignore[arg-type]
    return _averaged(path, label_names, words, vectors_of)


def encode_label_names(label_names: Sequence[str], encode: Callable[[list[str]], Any], template: str = "{}") -> Tensor:
    """Embed label names with a sentence encoder.

    Args:
        label_names: The C names; underscores become spaces.
        encode: Returns an array or tensor (C, F) for a list of C texts, such as the ``encode`` of a sentence
            encoder.
        template: Text for the encoder, with ``{}`` for the name, such as ``"a photo of a {}"``.

    Returns:
        Shape (C, F), float32.

    Raises:
        ValueError: If ``template`` has no ``{}``, or the encoder returns another shape, NaN or infinity.

    Example:
        >>> from labelgraph.encoders import encode_label_names
        >>> encode_label_names(["cat", "night_sky"], lambda texts: [[len(text)] for text in texts]).tolist()
        [[3.0], [9.0]]
    """
    if "{}" not in template:
        raise ValueError(f"'template' must have a {{}} for the name (got {template!r})")
    output = encode([template.replace("{}", name.replace("_", " ")) for name in label_names])
    vectors = np.asarray(output.detach().cpu() if isinstance(output, Tensor) else output)
    if vectors.ndim != 2 or len(vectors) != len(label_names):
        raise ValueError(f"'encode' must give the shape ({len(label_names)}, F) (got {vectors.shape})")
    return _finite("'encode'", vectors)


def _finite(where: Path | str, vectors: Any) -> Tensor:
    dense = vectors.toarray() if hasattr(vectors, "toarray") else vectors
    with np.errstate(over="ignore"):
        tensor = torch.from_numpy(np.array(dense, dtype=np.float32))
    if not torch.isfinite(tensor).all():
        raise ValueError(f"{where}: expected finite vectors (got NaN or infinity)")
    return tensor


def _averaged(
    path: Path, label_names: Sequence[str], words: list[list[str]], vectors_of: Mapping[str, np.ndarray]
) -> LabelVectors:
    missing = tuple(name for name, parts in zip(label_names, words, strict=True) if not vectors_of.keys() & set(parts))
    if len(missing) == len(label_names):
        raise ValueError(f"{path}: expected vectors of the label names (got none of {', '.join(missing[:5])})")
    zero = np.zeros_like(next(iter(vectors_of.values())))
    rows = [[vectors_of[word] for word in parts if word in vectors_of] or [zero] for parts in words]
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        warnings.warn(f"{path}: no word vectors for {len(missing)} label names, set to zero: {shown}", stacklevel=3)
    return LabelVectors(_finite(path, np.stack([np.mean(row, axis=0) for row in rows])), missing)


def _look_up(entries: Iterator[tuple[str, np.ndarray]], wanted: set[str]) -> dict[str, np.ndarray]:
    """The vector of each wanted word: of its exact spelling, or of the first spelling in another case."""
    exact: dict[str, np.ndarray] = {}
    folded: dict[str, np.ndarray] = {}
    for word, vector in entries:
        (exact if word in wanted else folded).setdefault(word.casefold(), vector)
    return folded | exact


def _text_words(file: BinaryIO, wanted: set[str]) -> Iterator[tuple[str, np.ndarray]]:
    channels = 0
    for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1):
        if len(line) == LONGEST_LINE:
            raise ValueError(f"line {number} of {LONGEST_LINE} bytes or more")
        if number == 1 and re.fullmatch(rb"\d{1,12} \d{1,6}\s*", line):
            channels = int(line.split()[1])
            continue
        if not channels:
            channels = len(line.split()) - 1
        if channels < 1:
            raise ValueError(f"line {number} without numbers: {line[:40]!r}")
        word = line[: max(line.find(b" "), 0)].decode("utf-8", "replace")
        if word.casefold() not in wanted:
            continue
        values = line.split()[1:]
        if len(values) == channels:
            yield word, np.array(values, dtype=np.float32)
        elif len(values) < channels:
            raise ValueError(f"line {number} with {len(values)} numbers for {word!r}, not {channels}")


def _binary_words(file: BinaryIO, wanted: set[str]) -> Iterator[tuple[str, np.ndarray]]:
    header = file.readline(64)
    if not re.fullmatch(rb"\d{1,12} \d{1,6}\s*\n", header):
        raise ValueError(f"no first line of two whole numbers, as word2vec has it: {header[:20]!r}")
    count, channels = map(int, header.split())
    if not 1 <= channels <= MOST_CHANNELS:
        raise ValueError(f"vectors of {channels} numbers, not 1 to {MOST_CHANNELS}")
    held, place, size = b"", 0, 4 * channels
    for number in range(count):
        while (space := held.find(b" ", place)) < 0 or len(held) < space + 1 + size:
            if space < 0 and len(held) - place > LONGEST_WORD:
                raise ValueError(f"no word within {LONGEST_WORD} bytes after {number} words")
            more = file.read(LONGEST_LINE)
            if not more:
                raise ValueError(f"{number} of {count} words")
            held, place = held[place:] + more, 0
        word = held[place:space].lstrip(b"\n").decode("utf-8", "replace")
        if word.casefold() in wanted:
            yield word, np.frombuffer(held, "<f4", channels, space + 1).astype(np.float32)
        place = space + 1 + size


SENTENCE = "sentence"


def label_name_vectors(source: str | Path, label_names: Sequence[str]) -> LabelVectors:
    r"""Embed label names, for ``cooccurrence_graph(..., x=vectors)`` and a label embedding ``"given"``.

    Args:
        source: A file of word vectors for `labelgraph.encoders.read_label_vectors`, or ``"sentence"`` for the
            packaged model of `SentenceEncoder`.
        label_names: The :math:`C` names.

    Returns:
        The vectors :math:`(C, F)` and the missing names, without a warning.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, of another format, or has no word of the names.
        ImportError: If ``source`` is ``"sentence"`` and the sentence encoder is not installed.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from labelgraph.encoders import label_name_vectors
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
