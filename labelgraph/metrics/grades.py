"""Relevance grades of items for queries."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.array_kinds import as_sparse, as_texts, plain_array
from labelgraph._core.checks import check_multi_hot
from labelgraph._core.embeddings import as_matrix
from labelgraph._core.packed_bits import code_words, pack_bits
from labelgraph.metrics.sparse_labels import SparseLabels

RELEVANCES = ("shared", "graded")
HIGHEST_GRADE = 255  # Items are counted by grade, so the number of grades must be small.
LABEL_BLOCK, LABEL_CELLS = 2**14, 2**18  # Items, and results, at a time, so that they stay in the processor cache.
Labels = Tensor | SparseLabels | None
Relevance = str | Tensor | np.ndarray | Callable[[Any, Any], Any]


class RelevanceRows:
    r"""Relevance of the database to some queries, computed when the queries are ranked.

    Args:
        relevance: ``"shared"``: an item is relevant if it shares a label with the query. ``"graded"``: the grade of an
            item is the number of labels that it shares with the query. A matrix: the grades, shape :math:`(Q, N)`. A
            function: it computes the grades, shape :math:`(b, N)`, from the labels of :math:`b` queries and the labels
            of the database. Grades are whole numbers from 0 (not relevant) to 255, or bool.
        query_labels: Multi-hot labels, shape :math:`(Q, C)`; none if ``relevance`` is a matrix. Sparse labels stay
            sparse if they are more than ``DENSE_LABELS``; a function then receives CSR arrays.
        database_labels: Multi-hot labels, shape :math:`(N, C)`; none if ``relevance`` is a matrix.
        query_ids: Ids of the queries, whole numbers or texts, shape :math:`(Q,)`.
        database_ids: Ids of the database, of the same kind, shape :math:`(N,)`.
        size: Numbers of queries and of items, :math:`(Q, N)`.
        leave_out_own: Whether to leave out the items that have the id of the query.

    Raises:
        ValueError: If the relevance is unknown, shapes do not match, or only one side has labels or ids.
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
        labels = _both_labels(query_labels, database_labels, multi_hot=isinstance(relevance, str))
        ids = _ids(query_ids, database_ids, size)
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
        """Return the grades for some queries, bool or int32, and the mask of the items that are left out."""
        grades = self._grades(rows)
        query_ids, database_ids = self.ids
        if query_ids is None or database_ids is None or not self.leave_out_own:
            return grades, None
        excluded = query_ids[rows, None] == database_ids
        return grades.to(excluded.device).masked_fill(excluded, 0), excluded

    def own_items(self, rows: slice) -> list[np.ndarray]:
        """Return the places of the items that have the id of each query, ascending; none without ids."""
        if self.ids[0] is None or self._by_id is None:
            return [np.empty(0, np.int64)] * len(range(*rows.indices(self.size[0])))
        order, ids = self._by_id
        asked = self.ids[0][rows].cpu().numpy()
        ends = zip(np.searchsorted(ids, asked), np.searchsorted(ids, asked, side="right"), strict=True)
        return [order[start:end] for start, end in ends]

    @cached_property
    def _by_id(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The places of the database in the order of their ids, and the ids in this order."""
        if self.ids[1] is None:
            return None
        ids = self.ids[1].cpu().numpy()
        order = ids.argsort(kind="stable")
        return order, ids[order]

    def _grades(self, rows: slice) -> Tensor:
        query_labels, database_labels = self.labels
        if isinstance(self.relevance, Tensor):
            return _whole(self.relevance[rows])
        assert query_labels is not None and database_labels is not None  # Checked above.
        if callable(self.relevance):
            asked = query_labels[rows]
            held = database_labels.matrix if isinstance(database_labels, SparseLabels) else database_labels
            computed = self.relevance(asked, held)
            grades = computed if isinstance(computed, Tensor) else as_matrix("relevance", computed)
            _check_size("relevance", grades, (asked.shape[0], self.size[1]))
            return _whole(grades)
        if isinstance(database_labels, SparseLabels):
            count = database_labels.share_any if self.relevance == "shared" else database_labels.count_shared
            return count(query_labels[rows])
        if self.relevance == "shared" and database_labels.device.type == "cpu":
            return self._share_any(query_labels[rows])
        shared = self._shared(query_labels[rows].float(), database_labels)
        return shared > 0 if self.relevance == "shared" else shared.round().to(torch.int32)

    def _share_any(self, asked: Tensor) -> Tensor:
        """Check whether any label is shared; on a CPU, bits are several times faster than a product of labels."""
        words = code_words(pack_bits(asked))
        any_shared = np.empty((len(words), self.size[1]), dtype=bool)
        step = max(1, LABEL_CELLS // min(LABEL_BLOCK, self.size[1]))
        for row in range(0, len(words), step):
            for column in range(0, self.size[1], LABEL_BLOCK):
                cells = slice(row, row + step), slice(column, column + LABEL_BLOCK)
                np.not_equal(self._shared_bits(words[cells[0]], cells[1]), 0, out=any_shared[cells])
        return torch.from_numpy(any_shared)

    def _shared_bits(self, words: np.ndarray, columns: slice) -> np.ndarray:
        """Return words with a bit that is 1 for some queries and items that share a label, otherwise 0."""
        shared = words[:, :1] & self._database_bits[0, columns]
        for word, held in zip(words.T[1:], self._database_bits[1:], strict=True):
            shared |= word[:, None] & held[columns]
        return np.asarray(shared)

    @cached_property
    def _database_bits(self) -> np.ndarray:
        """Labels of the database as bits, (words, N)."""
        database_labels = self.labels[1]
        assert database_labels is not None  # Checked above.
        return np.ascontiguousarray(code_words(pack_bits(database_labels)).T)

    def _shared(self, asked: Tensor, database_labels: Tensor) -> Tensor:
        """Count shared labels by a product; the buffer is reused, because new memory causes page faults."""
        if self._buffer is None or len(self._buffer) < len(asked):
            self._buffer = asked.new_empty(len(asked), self.size[1])
            self.labels = self.labels[0], database_labels.float()
        database = self.labels[1]
        assert isinstance(database, Tensor)
        return torch.mm(asked, database.t(), out=self._buffer[: len(asked)])


def check_labels(query_labels: Labels, database_labels: Labels, size: tuple[int, int], multi_hot: bool) -> None:
    """Check that labels are matrices with one row per item and one column per label; multi-hot labels are 0 or 1."""
    sides = (("query", query_labels, size[0]), ("database", database_labels, size[1]))
    for name, labels, rows in sides:
        if labels is not None and labels.ndim == 1 and len(labels) == rows:
            raise ValueError(f"'{name}_labels' must be multi-hot, shape ({rows}, C) (got shape ({rows},))")
        if labels is None or labels.ndim != 2 or len(labels) != rows:
            got = "none" if labels is None else f"shape {tuple(labels.shape)}"
            raise ValueError(f"'{name}_labels' must have {rows} rows, as '{name}' has (got {got})")
        values = labels.matrix.data if isinstance(labels, SparseLabels) else labels
        if multi_hot and len(other := values[(values != 0) & (values != 1)]):
            raise ValueError(f"'{name}_labels' must be 0 or 1 (got {other[0].item()})")
    assert query_labels is not None and database_labels is not None
    if query_labels.shape[1] == 0:
        raise ValueError(f"'query_labels' must have at least one column (got shape {tuple(query_labels.shape)})")
    if query_labels.shape[1] != database_labels.shape[1]:
        raise ValueError(
            f"'database_labels' must have {query_labels.shape[1]} columns, as the query has "
            f"(got {database_labels.shape[1]})"
        )


def _both_labels(query_labels: Any, database_labels: Any, multi_hot: bool) -> tuple[Labels, Labels]:
    """Convert the labels of both sides; if one side is sparse with many labels, so is the other."""
    sides = {"query_labels": query_labels, "database_labels": database_labels}
    sparse = {name: SparseLabels.read(name, labels, multi_hot) for name, labels in sides.items()}
    if all(labels is None for labels in sparse.values()):
        return _labels("query_labels", query_labels), _labels("database_labels", database_labels)
    for name, labels in sides.items():
        if sparse[name] is None and labels is not None:
            sparse[name] = SparseLabels(check_multi_hot(name, labels) if multi_hot else as_sparse(name, labels))
    return sparse["query_labels"], sparse["database_labels"]


def _labels(name: str, values: Any) -> Tensor | None:
    """Convert labels of torch, NumPy, SciPy or lists to a tensor; `check_labels` refuses wrong dimensions."""
    if values is None or (isinstance(values, Tensor) and values.layout == torch.strided):
        return values
    return as_matrix(name, values)


def _ids(query_ids: Any, database_ids: Any, size: tuple[int, int]) -> tuple[Tensor | None, Tensor | None]:
    """Convert ids of torch, NumPy or lists to tensors with one id per row; texts become their numbers."""
    by_name = {"query_ids": query_ids, "database_ids": database_ids}
    if all(ids is None for ids in by_name.values()):
        return None, None
    if any(ids is None for ids in by_name.values()):
        raise ValueError("'query_ids' and 'database_ids' must be given together (got one of them)")
    known = {
        name: ids if isinstance(ids, Tensor) else plain_array(name, list(ids) if isinstance(ids, range) else ids)
        for name, ids in by_name.items()
    }
    for (name, ids), rows in zip(known.items(), size, strict=True):
        if tuple(ids.shape) != (rows,):
            raise ValueError(f"'{name}' must have the shape ({rows},) (got {tuple(ids.shape)})")
    if not all(isinstance(ids, Tensor) or ids.dtype.kind in "iu" for ids in known.values()):
        texts = [text for name, ids in known.items() for text in as_texts(name, ids.tolist())]
        numbers = np.unique(np.array(texts, dtype=object), return_inverse=True)[1]
        known = dict(zip(known, np.split(numbers, [size[0]]), strict=True))
    query, database = (torch.as_tensor(ids) for ids in known.values())
    return query, database


def _check_size(name: str, grades: Tensor, size: tuple[int, int]) -> None:
    if tuple(grades.shape) != size:
        raise ValueError(f"'{name}' must give the shape {size} (got {tuple(grades.shape)})")


def _whole(grades: Tensor) -> Tensor:
    """Convert grades to bool or int32."""
    if grades.dtype == torch.bool:
        return grades
    whole = grades.to(torch.int32)
    if (whole != grades).any() or (whole < 0).any() or (whole > HIGHEST_GRADE).any():
        raise ValueError(
            f"'relevance' must give bool, or whole numbers from 0 to {HIGHEST_GRADE} "
            f"(got {grades.min().item()} to {grades.max().item()})"
        )
    return whole
