"""Which items are relevant to a query, and how much."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.packed_bits import code_words, pack_bits
from labelgraph._core.similarity import as_matrix

RELEVANCES = ("shared", "graded")
HIGHEST_GRADE = 255  # Items are counted by their grades, so that these must be few.
LABEL_BLOCK = 2**14  # Items at a time, so that what comes of them stays in the caches.
Relevance = str | Tensor | np.ndarray | Callable[[Tensor, Tensor], Tensor]


class RelevanceRows:
    r"""Relevance of the database to some of the queries, worked out when these are ranked.

    Args:
        relevance: ``"shared"``: an item is relevant if it shares a label with the query. ``"graded"``: its grade
            is the number of labels that they share. Or the grades themselves, shape :math:`(Q, N)`; or a function
            that gives the grades, shape :math:`(b, N)`, from the labels of :math:`b` queries and those of the
            database. Grades are whole numbers from 0, not relevant, to 255; or bool.
        query_labels: Multi-hot, shape :math:`(Q, C)`; none where the grades are given.
        database_labels: Multi-hot, shape :math:`(N, C)`; none where the grades are given.
        query_ids: Whole numbers, shape :math:`(Q,)`. An item of the same id as the query is not searched.
        database_ids: The same of the database, shape :math:`(N,)`.
        size: :math:`(Q, N)`.
        leave_out_own: Otherwise items of the query's id are searched as well.

    Raises:
        ValueError: If the relevance is unknown, shapes disagree, or only one side has labels or ids.
    """

    def __init__(
        self,
        relevance: Relevance,
        query_labels: Any,
        database_labels: Any,
        query_ids: Any,
        database_ids: Any,
        size: tuple[int, int],
        leave_out_own: bool = True,
    ) -> None:
        if not isinstance(relevance, str) and not callable(relevance):
            relevance = as_matrix("relevance", relevance)
        labels = _labels("query_labels", query_labels), _labels("database_labels", database_labels)
        ids = _ids("query_ids", query_ids, size[0]), _ids("database_ids", database_ids, size[1])
        if (ids[0] is None) != (ids[1] is None):
            raise ValueError("'query_ids' and 'database_ids' must be given together (got one of them)")
        if isinstance(relevance, str) and relevance not in RELEVANCES:
            raise ValueError(
                f"'relevance' must be one of {', '.join(RELEVANCES)}, a matrix or a function (got {relevance!r})"
            )
        if isinstance(relevance, Tensor):
            _check_size("relevance", relevance, size)
        else:
            check_labels(*labels, size, multi_hot=isinstance(relevance, str))
        self.relevance, self.size, self.labels, self.ids = relevance, size, labels, ids
        self.leave_out_own = leave_out_own
        self._buffer: Tensor | None = None

    def __call__(self, rows: slice) -> tuple[Tensor, Tensor | None]:
        """Grades of the database for some queries, bool or int32, and where an item has the query's id."""
        grades = self._grades(rows)
        query_ids, database_ids = self.ids
        if query_ids is None or database_ids is None or not self.leave_out_own:
            return grades, None
        excluded = query_ids[rows, None] == database_ids
        return grades.masked_fill(excluded, 0), excluded

    def _grades(self, rows: slice) -> Tensor:
        query_labels, database_labels = self.labels
        if isinstance(self.relevance, Tensor):
            return _whole(self.relevance[rows])
        assert query_labels is not None and database_labels is not None  # Checked above.
        if callable(self.relevance):
            grades = self.relevance(query_labels[rows], database_labels)
            _check_size("relevance", grades, (len(query_labels[rows]), self.size[1]))
            return _whole(grades)
        if self.relevance == "shared" and database_labels.device.type == "cpu":
            return self._share_any(query_labels[rows])
        shared = self._shared(query_labels[rows].float(), database_labels)
        return shared > 0 if self.relevance == "shared" else shared.round().to(torch.int32)

    def _share_any(self, asked: Tensor) -> Tensor:
        """Whether any label is shared, from labels as bits: several times faster on a CPU than their product."""
        words = code_words(pack_bits(asked))
        any_shared = np.empty((len(words), self.size[1]), dtype=bool)
        for start in range(0, self.size[1], LABEL_BLOCK):
            columns = slice(start, start + LABEL_BLOCK)
            shared = words[:, :1] & self._database_bits[0, columns]
            for word, held in zip(words.T[1:], self._database_bits[1:], strict=True):
                shared |= word[:, None] & held[columns]
            np.not_equal(shared, 0, out=any_shared[:, columns])
        return torch.from_numpy(any_shared)

    @cached_property
    def _database_bits(self) -> np.ndarray:
        """Labels of the database as bits, (words, N)."""
        database_labels = self.labels[1]
        assert database_labels is not None  # Checked above.
        return np.ascontiguousarray(code_words(pack_bits(database_labels)).T)

    def _shared(self, asked: Tensor, database_labels: Tensor) -> Tensor:
        """The product of labels, in memory kept from block to block: new memory is faulted in page by page."""
        if self._buffer is None or len(self._buffer) < len(asked):
            self._buffer = asked.new_empty(len(asked), self.size[1])
            self.labels = self.labels[0], database_labels.float()
        kept = self.labels[1]
        assert kept is not None
        return torch.mm(asked, kept.t(), out=self._buffer[: len(asked)])


def check_labels(
    query_labels: Tensor | None, database_labels: Tensor | None, size: tuple[int, int], multi_hot: bool
) -> None:
    """Both must be matrices with a row an item and a column a label, of 0 and 1 alone if they are to be counted."""
    sides = (("query", query_labels, size[0]), ("database", database_labels, size[1]))
    for name, labels, rows in sides:
        if labels is None or labels.ndim != 2 or len(labels) != rows:
            got = "none" if labels is None else f"shape {tuple(labels.shape)}"
            raise ValueError(f"'{name}_labels' must have {rows} rows, as '{name}' has (got {got})")
        if multi_hot and (other := labels[(labels != 0) & (labels != 1)]).numel():
            raise ValueError(f"'{name}_labels' must be 0 or 1 (got {other[0].item()})")
    assert query_labels is not None and database_labels is not None
    if query_labels.shape[1] == 0:
        raise ValueError(f"'query_labels' must have at least one column (got shape {tuple(query_labels.shape)})")
    if query_labels.shape[1] != database_labels.shape[1]:
        raise ValueError(
            f"'database_labels' must have {query_labels.shape[1]} columns, as the query has "
            f"(got {database_labels.shape[1]})"
        )


def _labels(name: str, given: Any) -> Tensor | None:
    """Labels of torch, NumPy, SciPy or lists as a tensor; of wrong dimensions as they are, for `check_labels`."""
    if given is None or (isinstance(given, Tensor) and given.layout == torch.strided):
        return given
    return as_matrix(name, given) if np.ndim(given) == 2 or hasattr(given, "shape") else torch.as_tensor(given)


def _ids(name: str, given: Any, rows: int) -> Tensor | None:
    """Ids of torch, NumPy or lists as a tensor, one of each row."""
    if given is None:
        return None
    ids = given if isinstance(given, Tensor) else torch.as_tensor(np.asarray(given))
    if tuple(ids.shape) != (rows,):
        raise ValueError(f"'{name}' must have the shape ({rows},) (got {tuple(ids.shape)})")
    return ids


def _check_size(name: str, grades: Tensor, size: tuple[int, int]) -> None:
    if tuple(grades.shape) != size:
        raise ValueError(f"'{name}' must give the shape {size} (got {tuple(grades.shape)})")


def _whole(grades: Tensor) -> Tensor:
    """Grades as bool or int32."""
    if grades.dtype == torch.bool:
        return grades
    whole = grades.to(torch.int32)
    if (whole != grades).any() or (whole < 0).any() or (whole > HIGHEST_GRADE).any():
        raise ValueError(
            f"'relevance' must give bool, or whole numbers from 0 to {HIGHEST_GRADE} "
            f"(got {grades.min().item()} to {grades.max().item()})"
        )
    return whole
