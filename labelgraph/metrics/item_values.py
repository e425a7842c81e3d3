"""Values of items for a query in addition to relevance: similarity of label sets, and own pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from labelgraph.metrics.grades import Labels, check_labels
from labelgraph.metrics.sparse_labels import SparseLabels

CACHED_LABELS = 2**20  # Number of labels of items compared at a time.
NEEDS = {"jaccard": "labels", "exact": "labels", "own": "ids"}


@dataclass(frozen=True)
class ItemValues:
    """Values of the items for queries, by name.

    - ``"jaccard"``: the Jaccard coefficient of the label sets, 0 where both are empty;
    - ``"exact"``: 1 where the label sets are the same and not empty;
    - ``"own"``: 1 where the item has the id of the query.

    Args:
        labels: Multi-hot labels of the queries (Q, C) and of the database (N, C); both dense or both sparse.
        ids: Ids of the queries (Q,) and of the database (N,).
        excluded: Whether the ranking leaves out items that have the id of the query.
    """

    labels: tuple[Labels, Labels]
    ids: tuple[Tensor | None, Tensor | None]
    excluded: bool

    def check(self, metric: str, name: str, size: tuple[int, int]) -> None:
        """Check that the labels or ids that a metric needs are given.

        Raises:
            ValueError: If they are missing, or the ranking leaves out the own pairs that the metric needs.
        """
        if NEEDS[name] == "labels" and self.labels[0] is None:
            raise ValueError(f"'query_labels' must be given for {metric!r} in 'metrics' (got none)")
        if NEEDS[name] == "labels":
            check_labels(*self.labels, size, multi_hot=True)
        elif self.ids[0] is None or self.excluded:
            got = "none" if self.ids[0] is None else "ids that are left out"
            raise ValueError(
                f"'query_ids' and 'database_ids' must be given, with leave_out_own=False, for {metric!r} in 'metrics' "
                f"(got {got})"
            )

    def at(self, name: str, rows: slice, places: Tensor) -> Tensor:
        """Return the values of the items at ``places`` in the database, (b, k), for some queries, float64, (b, k)."""
        query, database = self._sides(name)
        if isinstance(database, SparseLabels):
            asked_sizes = torch.from_numpy(query.sizes[rows]).to(places.device, torch.float64)
            shared = database.shared_at(query[rows], places)
            values = _of_sizes(name, shared, asked_sizes, database.sizes_at(places))
            return self._searched(values, rows, places)
        if name == "own":
            values = (query[rows, None] == database[places]).double()
        else:
            # Allocated before the parts, because small results between them would keep their memory from being reused.
            values = torch.empty(places.shape, dtype=torch.float64, device=places.device)
            step = max(1, CACHED_LABELS // max(1, places.shape[1] * database.shape[1]))
            for part, asked, where in zip(*(side.split(step) for side in (values, query[rows], places)), strict=True):
                part[:] = _of_labels(name, asked, database[where])
        return self._searched(values, rows, places)

    def whole(self, name: str, rows: slice) -> Tensor:
        """Return the values of all items for some queries, float64, (b, N)."""
        query, database = self._sides(name)
        asked = query[rows]
        if isinstance(database, SparseLabels):
            sizes = (torch.from_numpy(part).double() for part in (query.sizes[rows], database.sizes))
            values = _of_sizes(name, database.count_shared(asked).double(), *sizes)
        elif name == "own":
            values = (asked[:, None] == database).double()
        else:
            shared = asked.double() @ database.double().t()
            values = _of_sizes(name, shared, asked.sum(1).double(), database.sum(1).double())
        return self._searched(values, rows, None)

    def _sides(self, name: str) -> tuple[Any, Any]:
        query, database = self.labels if NEEDS[name] == "labels" else self.ids
        assert query is not None and database is not None  # `check` ensures this.
        return query, database

    def _searched(self, values: Tensor, rows: slice, places: Tensor | None) -> Tensor:
        """Set the values of the items that are left out to 0."""
        query, database = self.ids
        if not self.excluded or query is None or database is None:
            return values
        return values.masked_fill_(query[rows, None] == (database if places is None else database[places]), 0.0)


def _of_labels(name: str, asked: Tensor, held: Tensor) -> Tensor:
    """Compute values from the labels of the queries, (b, C), and of the items of each query, (b, k, C)."""
    shared = torch.einsum("qc,qkc->qk", asked.float(), held.float())  # Whole numbers, which are exact.
    return _of_sizes(name, shared.double(), asked.sum(1).double(), held.sum(2).double())


def _of_sizes(name: str, shared: Tensor, asked: Tensor, held: Tensor) -> Tensor:
    """Compute values from the numbers of shared labels, of the query's labels and of the items' labels."""
    union = asked[:, None] + held - shared
    if name == "jaccard":
        return shared / union.clamp(min=1)
    return ((union == shared) & (shared > 0)).double()
