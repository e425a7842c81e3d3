"""The most probable labels of items as rows of one matrix, for data with many labels, and their inverted lists."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

MOST_LABELS = 2**24  # Every whole number up to this one is a float32.
FEW_QUERIES = 4  # Before the lists are built, which takes the time of several queries.


def pack_rows(labels: Tensor, probabilities: Tensor, others: Tensor | None = None) -> Tensor:
    """Join the most probable labels of items to rows: k label numbers, k probabilities, and further columns.

    Args:
        labels: Label numbers, distinct in each row, (N, k). A place with the probability 0 is empty.
        probabilities: Their probabilities, (N, k).
        others: Further columns, such as pair embeddings, (N, H).

    Returns:
        Shape (N, 2 k + H), at least float32, because less precise types do not hold every label number.

    Example:
        >>> import torch
        >>> from labelgraph._core.sparse_rows import pack_rows, split_rows
        >>> rows = pack_rows(torch.tensor([[7, 70_000]]), torch.tensor([[0.5, 0.25]]))
        >>> rows.shape, split_rows(rows, 2)[0]
        (torch.Size([1, 4]), tensor([[    7, 70000]], dtype=torch.int32))
    """
    dtype = torch.promote_types(probabilities.dtype, torch.float32)
    parts = [labels, probabilities] + ([] if others is None else [others])
    return torch.cat([part.to(dtype) for part in parts], 1)


def split_rows(rows: Tensor, num_labels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return label numbers (N, k), int32, probabilities (N, k) and further columns (N, H) of rows from `pack_rows`."""
    labels, probabilities = rows[:, :num_labels], rows[:, num_labels : 2 * num_labels]
    return labels.int(), probabilities, rows[:, 2 * num_labels :]


def top_rows(probabilities: Tensor, num_labels: int) -> tuple[Tensor, Tensor]:
    """Return the label numbers and probabilities of the most probable labels, (N, k); at most all are kept."""
    top = probabilities.topk(min(num_labels, probabilities.shape[1]), sorted=False)
    return top.indices, top.values


class InvertedLists:
    """For each label, the items that have it among their most probable labels, with its probability.

    The sum of products of a query with every item is read from the lists of the labels of the query. Its time depends
    on the length of these lists, not on the number of labels. The first queries read the rows of all items instead, so
    that a single query needs no lists.

    Args:
        labels: Label numbers of the items, int32, (N, k).
        probabilities: Their probabilities, (N, k).
    """

    def __init__(self, labels: Tensor, probabilities: Tensor) -> None:
        self._rows: tuple[Tensor, Tensor] | None = (labels, probabilities)  # Until there are lists.
        self._num_labels = int(labels.max()) + 1 if labels.numel() else 0
        self._queries = 0
        self._lists: tuple[list[Tensor], list[Tensor]] | None = None

    def products(self, labels: Tensor, probabilities: Tensor, out: Tensor) -> Tensor:
        """Write the sums of products of queries with all items into ``out``.

        Args:
            labels: Label numbers of the queries, (Q, k).
            probabilities: Their probabilities, (Q, k).
            out: Shape (Q, N).
        """
        self._queries += len(labels)
        rows, lists = self._rows, self._lists  # In this order: another thread sets the lists, then drops the rows.
        if rows is not None and lists is None and self._queries > FEW_QUERIES:
            lists = self._lists = _lists(*rows, self._num_labels)
            self._rows = None
        for number, value, sums in zip(labels, probabilities, out, strict=True):
            known = (value != 0) & (number < self._num_labels)
            if lists is not None:
                self._from_lists(lists, number[known], value[known], sums)
            elif rows is not None:
                self._from_rows(rows, number[known], value[known], sums)
        return out

    def _from_rows(self, rows: tuple[Tensor, Tensor], labels: Tensor, probabilities: Tensor, out: Tensor) -> None:
        dense = probabilities.new_zeros(self._num_labels).index_put((labels,), probabilities)
        held = dense.index_select(0, rows[0].flatten()).view_as(rows[0])
        torch.sum(held * rows[1], 1, out=out)

    @staticmethod
    def _from_lists(
        lists: tuple[list[Tensor], list[Tensor]], labels: Tensor, probabilities: Tensor, out: Tensor
    ) -> None:
        items, values = lists
        out.zero_()
        order = labels.argsort()  # The rounding of a sum does not depend on the order of the labels.
        for label, probability in zip(labels[order].tolist(), probabilities[order].tolist(), strict=True):
            out.index_add_(0, items[label], values[label], alpha=probability)


def _lists(labels: Tensor, probabilities: Tensor, num_labels: int) -> tuple[list[Tensor], list[Tensor]]:
    """Return the items of each label, int32, and their probabilities."""
    filled = probabilities != 0
    starts = np.concatenate([[0], filled.sum(1).cumsum(0).numpy()])
    parts = probabilities[filled].numpy(), labels[filled].numpy(), starts
    by_label = sp.csr_array(parts, shape=(len(labels), num_labels)).tocsc()
    sizes = np.diff(by_label.indptr).tolist()
    return torch.from_numpy(by_label.indices).split(sizes), torch.from_numpy(by_label.data).split(sizes)
