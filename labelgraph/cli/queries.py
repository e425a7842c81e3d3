"""The queries of `labelgraph search`, and the answers to them."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from labelgraph._core.names import did_you_mean
from labelgraph.cli.inputs import check_file
from labelgraph.data import CrossModalData
from labelgraph.encoders import Encoder, build_encoder
from labelgraph.inference import SIDES
from labelgraph.methods import Method
from labelgraph.search import Neighbours
from labelgraph.search.fusion import FUSED

WEAK = 0.1  # An expected Jaccard coefficient below which an item hardly shares a label with the query.


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
    asked = set(ids)
    row_of = {each: row for row, each in enumerate(data.ids) if each in asked}
    for each in ids:
        if each not in row_of:
            raise ValueError(f"'--{side}-id' must be the id of an item of the data (got {each!r})"
                             f"{did_you_mean(each, data.ids)}")  # fmt: skip
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
