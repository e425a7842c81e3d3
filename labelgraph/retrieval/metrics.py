"""Metrics of ranked relevance, as pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

DEFINITIONS = ("topk", "first-k", "recall-normalised", "min(k,R)")


def average_precision(relevance: Tensor, k: int | None = None, definition: str = "topk") -> Tensor:
    r"""Average precision of each query.

    With :math:`R` relevant items in the whole database and precision :math:`p(r)` at rank :math:`r`, the
    mean of :math:`p(r)` over the relevant ranks; with a cut-off :math:`k`, four definitions are in use:

    - ``"topk"``: ranks up to :math:`k`, divided by the hits among them;
    - ``"first-k"``: the first :math:`\min(k, R)` relevant items wherever they rank, divided by that number;
    - ``"recall-normalised"``: ranks up to :math:`k`, divided by :math:`R`;
    - ``"min(k,R)"``: ranks up to :math:`k`, divided by :math:`\min(k, R)`.

    Over the full ranking all agree. A query without hits scores 0.

    Args:
        relevance: 0 or 1 in ranked order over the whole database, shape :math:`(Q, N)`.
        k: Cut-off; by default none.
        definition: Which of the four.

    Returns:
        Shape :math:`(Q,)`, float64.

    Raises:
        ValueError: If ``k`` is less than 1 or the definition is unknown.

    Example:
        >>> import torch
        >>> from labelgraph.retrieval import average_precision
        >>> ranked = torch.tensor([[1, 0, 0, 1]])
        >>> [average_precision(ranked, 2, name).item() for name in ("topk", "first-k", "recall-normalised")]
        [1.0, 0.75, 0.5]
    """
    check_average_precision(k, definition)
    k = relevance.shape[1] if k is None else k
    ranked = relevance if definition == "first-k" else relevance[:, :k]
    hits = ranked.cumsum(1, dtype=torch.int32)
    divisor = hits[:, -1].clone()
    if definition in ("recall-normalised", "min(k,R)"):
        divisor = relevance.sum(1)
    if definition in ("first-k", "min(k,R)"):
        divisor = divisor.clamp(max=k)
    if definition == "first-k":
        ranked = ranked * (hits <= k)
    rank = torch.arange(1, hits.shape[1] + 1, dtype=torch.float64, device=hits.device)
    return hits.mul_(ranked).double() @ rank.reciprocal() / divisor.clamp(min=1)


def precision_at(relevance: Tensor, ks: Sequence[int]) -> Tensor:
    r"""Share of relevant items among the first :math:`k`, for several :math:`k`.

    A :math:`k` beyond the database counts the missing places as not relevant.

    Args:
        relevance: 0 or 1 in ranked order, shape :math:`(Q, N)`.
        ks: Cut-offs, each at least 1.

    Returns:
        Shape :math:`(Q, |ks|)`, float64.

    Example:
        >>> import torch
        >>> from labelgraph.retrieval import precision_at
        >>> precision_at(torch.tensor([[1, 0, 0, 1]]), [1, 2, 4])
        tensor([[1.0000, 0.5000, 0.5000]], dtype=torch.float64)
    """
    if min(ks) < 1:
        raise ValueError(f"'ks' must be at least 1 (got {min(ks)})")
    return torch.stack([relevance[:, :k].sum(1, dtype=torch.float64) / k for k in ks], 1)


def recall_at(relevance: Tensor, ks: Sequence[int]) -> Tensor:
    r"""Share of all :math:`R` relevant items that stand among the first :math:`k`, for several :math:`k`.

    A query without relevant items scores 0.

    Args:
        relevance: 0 or 1 in ranked order over the whole database, shape :math:`(Q, N)`.
        ks: Cut-offs, each at least 1.

    Returns:
        Shape :math:`(Q, |ks|)`, float64.

    Raises:
        ValueError: If a cut-off is less than 1.

    Example:
        >>> import torch
        >>> from labelgraph.retrieval import recall_at
        >>> recall_at(torch.tensor([[1, 0, 0, 1]]), [1, 4])
        tensor([[0.5000, 1.0000]], dtype=torch.float64)
    """
    hits = precision_at(relevance, ks) * torch.tensor(ks, device=relevance.device)
    return hits / relevance.sum(1, keepdim=True).clamp(min=1)


def r_precision(relevance: Tensor) -> Tensor:
    r"""Share of relevant items among the first :math:`R`, where :math:`R` is how many there are.

    A query without relevant items scores 0.

    Args:
        relevance: 0 or 1 in ranked order over the whole database, shape :math:`(Q, N)`.

    Returns:
        Shape :math:`(Q,)`, float64.

    Example:
        >>> import torch
        >>> from labelgraph.retrieval import r_precision
        >>> r_precision(torch.tensor([[1, 0, 0, 1]]))
        tensor([0.5000], dtype=torch.float64)
    """
    total = relevance.sum(1, keepdim=True)
    inside = torch.arange(relevance.shape[1], device=relevance.device) < total
    return (relevance * inside).sum(1, dtype=torch.float64) / total[:, 0].clamp(min=1)


def precision_at_recall(relevance: Tensor, recall: Sequence[float]) -> Tensor:
    r"""Precision at the rank where each recall level is first reached.

    Level :math:`r` of a query with :math:`R` relevant items is reached at its
    :math:`\lceil r R \rceil`-th hit (at the first for :math:`r = 0`). A query without relevant items scores 0.

    Args:
        relevance: 0 or 1 in ranked order over the whole database, shape :math:`(Q, N)`.
        recall: Levels in [0, 1].

    Returns:
        Shape :math:`(Q, |recall|)`, float64.

    Example:
        >>> import torch
        >>> from labelgraph.retrieval import precision_at_recall
        >>> precision_at_recall(torch.tensor([[1, 0, 0, 1]]), [0.5, 1.0])
        tensor([[1.0000, 0.5000]], dtype=torch.float64)
    """
    hits = relevance.cumsum(1)
    needed = hits_needed(hits[:, -1], recall)
    place = torch.searchsorted(hits, needed).clamp(max=hits.shape[1] - 1)
    return torch.where(hits[:, -1:] > 0, needed.double() / (place + 1), 0.0)


def hits_needed(found: Tensor, recall: Sequence[float]) -> Tensor:
    """How many of the relevant items of each query reach each recall level, (Q, |recall|)."""
    levels = torch.tensor(recall, dtype=torch.float64, device=found.device)
    if ((levels < 0) | (levels > 1)).any():
        raise ValueError(f"'recall' must be in [0, 1] (got {list(recall)})")
    # The small step back keeps a level such as 0.3 of 10 from rounding up to the fourth hit.
    return (levels * found[:, None] - 1e-9).ceil().clamp(min=1).long()


def check_average_precision(k: int | None, definition: str) -> None:
    """Refuse what `average_precision` does not know."""
    if definition not in DEFINITIONS:
        raise ValueError(f"'definition' must be one of {', '.join(DEFINITIONS)} (got {definition!r})")
    if k is not None and k < 1:
        raise ValueError(f"'k' must be at least 1 (got {k})")
