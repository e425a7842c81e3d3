"""Embeddings of queries whose label probabilities are read and changed, with a column or a place for each label."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from labelgraph._core.similarity import SPARSE
from labelgraph.methods import Method


class QueryRow:
    """One embedding that starts with label probabilities; changes change the embedding.

    Args:
        row: The embedding, shape (H,).
        method: The method of the embedding, which ranks by label probabilities.

    Attributes:
        probabilities: The label probabilities: of all labels, or of those that the embedding names.
        pair: The pair embedding; it may be empty.

    Example:
        >>> import torch
        >>> from types import SimpleNamespace
        >>> from labelgraph.search.query_rows import QueryRow
        >>> method = SimpleNamespace(similarity="sparse-jaccard", similarity_labels=2)
        >>> row = QueryRow(torch.tensor([7.0, 9.0, 0.6, 0.2, 1.0]), method)
        >>> row[5] = 1.0  # In the place of the least probable label.
        >>> row[7], row[9], row[5], row.pair
        (0.6000000238418579, 0.0, 1.0, tensor([1.]))
    """

    def __init__(self, row: Tensor, method: Method) -> None:
        kept = method.similarity_labels or 0
        self._labels = row[:kept] if method.similarity in SPARSE else None
        start = 0 if self._labels is None else kept
        self.probabilities, self.pair = row[start : start + kept], row[start + kept :]

    def __getitem__(self, label: int) -> float:
        place = self._place(label)
        return 0.0 if place is None else float(self.probabilities[place])

    def __setitem__(self, label: int, probability: float) -> None:
        place = self._place(label)
        if place is None:
            place = int(self.probabilities.argmin())
        if self._labels is not None:
            self._labels[place] = label
        self.probabilities[place] = probability

    def _place(self, label: int) -> int | None:
        if self._labels is None:
            return label
        places = ((self._labels == label) & (self.probabilities > 0)).nonzero().flatten().tolist()
        return places[0] if places else None

    def of(self, labels: Iterable[int]) -> Tensor:
        """Return the probabilities of some labels, float32."""
        if self._labels is None:
            return self.probabilities[list(labels)].float()
        return torch.tensor([self[label] for label in labels])

    def named(self) -> list[int]:
        """Return the labels with a positive probability."""
        places = self.probabilities.nonzero().flatten()
        return (places if self._labels is None else self._labels[places].long()).tolist()
