"""The most probable labels of items as rows of one matrix, for data with many labels, and their inverted lists."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

MOST_LABELS = 2**24  # Every whole number up to this one is a float32.
PRODUCT_ROWS = 64  # Queries whose labels share one reading of the inverted lists.


def pack_rows(labels: Tensor, probabilities: Tensor, others: Tensor | None = None) -> Tensor:
    """Join the most probable labels of items to rows: k label numbers, k probabilities, and further columns.

    Args:
        labels: Label numbers, distinct in each row, (N, k). A place with the probability 0 is empty.
        probabilities: Their probabilities, (N, k).
        others: Further columns, such as pair embeddings, (N, H).

    Returns:
        Shape (N, 2 k + H).

    Example:
        >>> import torch
        >>> from labelgraph._core.sparse_rows import pack_rows, split_rows
        >>> rows = pack_rows(torch.tensor([[7, 70_000]]), torch.tensor([[0.5, 0.25]]))
        >>> rows.shape, split_rows(rows, 2)[0]
        (torch.Size([1, 4]), tensor([[    7, 70000]]))
    """
    parts = [labels.to(probabilities), probabilities] + ([] if others is None else [others.to(probabilities)])
    return torch.cat(parts, 1)


def split_rows(rows: Tensor, num_labels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return label numbers (N, k), int64, probabilities (N, k) and further columns (N, H) of rows from `pack_rows`."""
    labels, probabilities = rows[:, :num_labels], rows[:, num_labels : 2 * num_labels]
    return labels.long(), probabilities, rows[:, 2 * num_labels :]


def top_rows(probabilities: Tensor, num_labels: int) -> tuple[Tensor, Tensor]:
    """Return the label numbers and probabilities of the most probable labels, (N, k); at most all are kept."""
    top = probabilities.topk(min(num_labels, probabilities.shape[1]), sorted=False)
    return top.indices, top.values


class InvertedLists:
    """For each label, the items that have it among their most probable labels, with its probability.

    The sum of products of a query with every item is read from the lists of the labels of the query. Its time depends
    on the length of these lists, not on the number of labels.

    Args:
        labels: Label numbers of the items, (N, k).
        probabilities: Their probabilities, (N, k).
    """

    def __init__(self, labels: Tensor, probabilities: Tensor) -> None:
        filled = probabilities != 0
        starts = np.concatenate([[0], filled.sum(1).cumsum(0).numpy()])
        parts = probabilities[filled].numpy(), labels[filled].numpy().astype(np.int32), starts
        self._num_labels = int(parts[1].max(initial=-1)) + 1
        self._lists = sp.csr_array(parts, shape=(len(labels), self._num_labels)).tocsc()

    def products(self, labels: Tensor, probabilities: Tensor, out: Tensor) -> Tensor:
        """Write the sums of products of queries with all items into ``out``.

        Args:
            labels: Label numbers of the queries, (Q, k).
            probabilities: Their probabilities, (Q, k).
            out: Shape (Q, N).
        """
        for start in range(0, len(labels), PRODUCT_ROWS):
            rows = slice(start, start + PRODUCT_ROWS)
            out[rows] = torch.from_numpy(self._products(labels[rows], probabilities[rows])).t()
        return out

    def _products(self, labels: Tensor, probabilities: Tensor) -> np.ndarray:
        row, place = ((probabilities != 0) & (labels < self._num_labels)).nonzero(as_tuple=True)
        used, column = labels[row, place].unique(return_inverse=True)
        weights = probabilities.new_zeros(len(used), len(labels))
        weights[column, row] = probabilities[row, place]
        products: np.ndarray = self._lists[:, used.numpy()] @ weights.numpy()
        return products
