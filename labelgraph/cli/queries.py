"""The queries of `labelgraph search`, and what a model knows of their words."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from labelgraph._core.names import did_you_mean
from labelgraph.cli.common import note
from labelgraph.cli.given_data import check_file
from labelgraph.data import CrossModalData
from labelgraph.encoders import BagOfWords, Encoder, build_encoder
from labelgraph.inference import SIDES
from labelgraph.methods import Method


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
        >>> from labelgraph.cli.queries import named_labels
        >>> named_labels("A night sky, and birds", ["bird", "Night_sky", "sky"])
        ['Night_sky', 'sky']
    """
    within = _spaced(text)
    return [name for name in label_names if (words := _spaced(name)).strip() and words in within]


def _spaced(text: str) -> str:
    words = re.findall(r"[^\W_]+", text.casefold())
    return f" {' '.join(words)} "


@dataclass(frozen=True)
class Queries:
    """Queries of one side.

    Args:
        side: ``image`` or ``text``.
        features: A row each.
        names: What to call them.
        titles: What to show of them; the names where there is nothing more.
    """

    side: str
    features: Any
    names: list[str]
    titles: list[str]


def item_queries(data: CrossModalData, side: str, ids: Sequence[str]) -> Queries:
    """Items of a data set, by their ids.

    Raises:
        ValueError: If there is no item of an id, or it lacks the side.
    """
    row_of = {each: row for row, each in enumerate(data.ids)}
    for each in ids:
        if each not in row_of:
            raise ValueError(f"'--{side}-id' must be the id of an item of the data (got {each!r})"
                             f"{did_you_mean(each, row_of)}")  # fmt: skip
        if not data.present[row_of[each], SIDES.index(side)]:
            raise ValueError(f"'--{side}-id' must be an item with its {side} (got {each!r}, which has none)")
    # Not `select`, which takes an item once.
    rows = np.array([row_of[each] for each in ids])
    features = data.image if side == "image" else data.text
    return Queries(side, features[rows], list(ids), [data.titles[row] for row in rows])


def feature_queries(path: Path, side: str) -> Queries:
    """Rows of a file of features: ``.npy``, a sparse ``.npz`` of SciPy, or a ``.npz`` with one array.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or holds anything else.
    """
    check_file(path, "features")
    try:
        features = _read(path, side)
    except (
        ValueError, TypeError, OSError, EOFError, AttributeError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error
    ) as error:  # fmt: skip
        raise ValueError(f"{path}: expected a matrix of features in .npy or .npz ({error})") from error
    if features.ndim != 2:
        raise ValueError(f"{path}: expected a matrix of features, a row each (got shape {features.shape})")
    names = [f"row {row}" for row in range(features.shape[0])]
    return Queries(side, features, names, names)


def query_encoder(method: Method, side: str) -> Encoder:
    """What made the features of one side of the data that a method was trained on.

    Raises:
        ValueError: If the method does not know.
        ImportError: If it needs a package that is not installed.
    """
    if side not in method.encoders:
        raise ValueError(
            f"'--{side}' needs a model that keeps how its {side} features were made (got none: the data that it was "
            f"trained on did not tell); --{side}s FILE takes features, --{side}-id ID an item of --data"
        )
    return build_encoder(method.encoders[side])


def encoded_queries(encoder: Encoder, side: str, items: Sequence[str | Path]) -> Queries:
    """Words or pictures, encoded as the data were.

    Raises:
        ValueError: If an item cannot be read.
        FileNotFoundError: If a picture is not there.
    """
    names = [str(each) for each in items]
    return Queries(side, encoder.encode(items), names, names)


def _read(path: Path, side: str) -> Any:
    content = np.load(path, allow_pickle=False)
    if isinstance(content, np.ndarray):
        return content
    with content:
        if "format" in content.files:
            return sp.csr_array(sp.load_npz(path))
        (key,) = [side] if side in content.files else content.files
        return content[key]
