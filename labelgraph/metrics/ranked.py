"""Metrics that are computed from relevance in ranked order."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.embeddings import as_matrix

DEFINITIONS = ("topk", "first-k", "recall-normalised", "min(k,R)")


def as_relevance(relevance: Any) -> Tensor:
    """Convert 0 or 1 in ranked order (bool, whole numbers or floats; torch, NumPy or lists) to uint8.

    Raises:
        ValueError: If ``relevance`` is not a matrix with at least one column, or holds anything but 0 and 1.
    """
    ranked = relevance if isinstance(relevance, Tensor) else as_matrix("relevance", relevance)
    if ranked.ndim != 2 or ranked.shape[1] == 0:
        raise ValueError(f"'relevance' must have the shape (Q, N), N at least 1 (got {tuple(ranked.shape)})")
    if ranked.dtype == torch.bool:
        return ranked.to(torch.uint8)
    if ranked.dtype == torch.uint8 and (not len(ranked) or ranked.max() <= 1):
        return ranked
    wrong = ranked[(ranked != 0) & (ranked != 1)]
    if len(wrong):
        raise ValueError(f"'relevance' must be 0 or 1 in ranked order (got {wrong[0].item():g})")
    return ranked.to(torch.uint8)


def as_grades(grades: Any) -> Tensor:
    """Convert whole numbers from 0 in ranked order to int32; uint8 stays uint8.

    Raises:
        ValueError: If ``grades`` is not a matrix with at least one column, or not whole numbers from 0.
    """
    ranked = grades if isinstance(grades, Tensor) else as_matrix("grades", grades)
    if ranked.ndim != 2 or ranked.shape[1] == 0:
        raise ValueError(f"'grades' must have the shape (Q, N), N at least 1 (got {tuple(ranked.shape)})")
    if ranked.dtype == torch.uint8:
        return ranked
    whole = ranked if ranked.dtype == torch.int32 else ranked.to(torch.int32)
    if len(ranked) and (whole.min() < 0 or (whole is not ranked and (whole != ranked).any())):
        raise ValueError(
            f"'grades' must be whole numbers from 0 (got {ranked.min().item():g} to {ranked.max().item():g})"
        )
    return whole


def average_precision(relevance: Any, k: int | None = None, definition: str = "topk") -> Tensor:
    r"""Average precision of each query.

    Let :math:`R` be the number of relevant items in the whole database, and :math:`p(r)` the precision at rank
    :math:`r`. Average precision is the mean of :math:`p(r)` over the ranks of relevant items. With a cut-off :math:`k`,
    four definitions are in use. A definition sums :math:`p(r)` over some ranks of relevant items and divides the sum:

    - ``"topk"``: ranks up to :math:`k`, divided by the number of hits up to :math:`k`;
    - ``"first-k"``: ranks of the first :math:`\min(k, R)` relevant items, divided by :math:`\min(k, R)`;
    - ``"recall-normalised"``: ranks up to :math:`k`, divided by :math:`R`;
    - ``"min(k,R)"``: ranks up to :math:`k`, divided by :math:`\min(k, R)`.

    Over the full ranking, all definitions agree. A query without hits scores 0.

    Args:
        relevance: 0 or 1 in ranked order over the whole database, shape :math:`(Q, N)`.
        k: Cut-off; defaults to the full ranking.
        definition: Name of the definition.

    Returns:
        Average precision, shape :math:`(Q,)`, float64.

    Raises:
        ValueError: If ``k`` is less than 1 or the definition is unknown.

    Example:
        >>> import torch
        >>> from labelgraph.metrics import average_precision
        >>> ranked = torch.tensor([[1, 0, 0, 1]])
        >>> [average_precision(ranked, 2, name).item() for name in ("topk", "first-k", "recall-normalised")]
        [1.0, 0.75, 0.5]
    """
    check_average_precision(k, definition)
    relevance = as_relevance(relevance)
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


def precision_at(relevance: Any, ks: Sequence[int]) -> Tensor:
    r"""Share of relevant items among the first :math:`k`, for several :math:`k`.

    Ranks beyond the database count as not relevant.

    Args:
        relevance: 0 or 1 in ranked order, shape :math:`(Q, N)`.
        ks: Cut-offs, each at least 1.

    Returns:
        Shape :math:`(Q, |ks|)`, float64.

    Example:
        >>> import torch
        >>> from labelgraph.metrics import precision_at
        >>> precision_at(torch.tensor([[1, 0, 0, 1]]), [1, 2, 4])
        tensor([[1.0000, 0.5000, 0.5000]], dtype=torch.float64)
    """
    ks = check_cuts(ks)
    relevance = as_relevance(relevance)
    return torch.stack([relevance[:, :k].sum(1, dtype=torch.float64) / k for k in ks], 1)


def recall_at(relevance: Any, ks: Sequence[int]) -> Tensor:
    r"""Share of all :math:`R` relevant items that are among the first :math:`k`, for several :math:`k`.

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
        >>> from labelgraph.metrics import recall_at
        >>> recall_at(torch.tensor([[1, 0, 0, 1]]), [1, 4])
        tensor([[0.5000, 1.0000]], dtype=torch.float64)
    """
    relevance = as_relevance(relevance)
    ks = check_cuts(ks)
    hits = precision_at(relevance, ks) * torch.tensor(ks, device=relevance.device)
    return hits / relevance.sum(1, keepdim=True).clamp(min=1)


def r_precision(relevance: Any) -> Tensor:
    r"""Share of relevant items among the first :math:`R`, where :math:`R` is their number in the database.

    A query without relevant items scores 0.

    Args:
        relevance: 0 or 1 in ranked order over the whole database, shape :math:`(Q, N)`.

    Returns:
        Shape :math:`(Q,)`, float64.

    Example:
        >>> import torch
        >>> from labelgraph.metrics import r_precision
        >>> r_precision(torch.tensor([[1, 0, 0, 1]]))
        tensor([0.5000], dtype=torch.float64)
    """
    relevance = as_relevance(relevance)
    total = relevance.sum(1, keepdim=True)
    most = int(total.max()) if len(total) else 0
    inside = torch.arange(most, device=relevance.device) < total
    return (relevance[:, :most] * inside).sum(1, dtype=torch.float64) / total[:, 0].clamp(min=1)


def precision_at_recall(relevance: Any, recall: Sequence[float]) -> Tensor:
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
        >>> from labelgraph.metrics import precision_at_recall
        >>> precision_at_recall(torch.tensor([[1, 0, 0, 1]]), [0.5, 1.0])
        tensor([[1.0000, 0.5000]], dtype=torch.float64)
    """
    return precision_of_hits(as_relevance(relevance).cumsum(1), recall)


def precision_of_hits(hits: Tensor, recall: Sequence[float]) -> Tensor:
    """Compute `precision_at_recall` from the number of relevant items up to each rank."""
    needed = hits_needed(hits[:, -1], recall)
    place = torch.searchsorted(hits, needed).clamp(max=hits.shape[1] - 1)
    return torch.where(hits[:, -1:] > 0, needed.double() / (place + 1), 0.0)


def check_cuts(ks: Sequence[int], name: str = "ks") -> list[int]:
    """Return cut-offs as whole numbers of Python.

    Raises:
        ValueError: If there is none, or one is not a whole number of at least 1.
    """
    if not isinstance(ks, Iterable) or isinstance(ks, str):
        raise ValueError(f"'{name}' must be a list of whole numbers (got {ks!r})")
    cuts = list(ks)
    if not cuts:
        raise ValueError(f"'{name}' must be at least 1 (got none)")
    for k in cuts:
        if isinstance(k, bool | np.bool_) or not hasattr(k, "__index__"):
            raise ValueError(f"'{name}' must be whole numbers (got {k!r})")
        if k < 1:
            raise ValueError(f"'{name}' must be at least 1 (got {k})")
    return [operator.index(k) for k in cuts]


def check_levels(recall: Sequence[float]) -> list[float]:
    """Return recall levels as floats of Python.

    Raises:
        ValueError: If one is not a number in [0, 1].
    """
    try:
        levels = [float(level) for level in recall if not isinstance(level, str)]
    except TypeError:
        levels = []
    if not isinstance(recall, Iterable) or len(levels) < len(list(recall)) or any(not 0 <= x <= 1 for x in levels):
        raise ValueError(f"'recall' must be in [0, 1] (got {recall!r})")
    return levels


def hits_needed(num_relevant: Tensor, recall: Sequence[float]) -> Tensor:
    """Return the number of hits of each query that reaches each recall level, (Q, |recall|)."""
    levels = torch.tensor(check_levels(recall), dtype=torch.float64, device=num_relevant.device)
    # Subtracting 1e-9 keeps rounding errors from asking for a fourth hit at a level of 0.3 of 10 items.
    return (levels * num_relevant[:, None] - 1e-9).ceil().clamp(min=1).long()


def check_average_precision(k: int | None, definition: str) -> None:
    """Check the cut-off and the definition of `average_precision`."""
    if definition not in DEFINITIONS:
        raise ValueError(f"'definition' must be one of {', '.join(DEFINITIONS)} (got {definition!r})")
    if k is not None:
        check_cuts([k], "k")


GAINS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda grades: grades.double(),
    "exponential": lambda grades: grades.double().exp2() - 1,
}


def ndcg_at(grades: Any, ks: Sequence[int | None], gain: str = "linear") -> Tensor:
    r"""Normalised discounted cumulative gain, for several cut-offs.

    .. math::
        \mathrm{nDCG}@k = \frac{\sum_{i=1}^{k} g(y_i) / \log_2(1 + i)}{\sum_{i=1}^{k} g(y^*_i) / \log_2(1 + i)},

    where :math:`y_i` is the grade at rank :math:`i`, such as the number of labels shared with the query, and
    :math:`y^*` are all grades in descending order. The gain is :math:`g(y) = y` (``"linear"``, Järvelin and Kekäläinen,
    TOIS 2002, doi:10.1145/582415.582418) or :math:`2^y - 1` (``"exponential"``, Burges et al., ICML 2005,
    doi:10.1145/1102351.1102363). A query without relevant items scores 0.

    Args:
        grades: Whole numbers in ranked order over the whole database, shape :math:`(Q, N)`.
        ks: Cut-offs, each at least 1; None is the whole ranking.
        gain: ``"linear"`` or ``"exponential"``.

    Returns:
        Shape :math:`(Q, |ks|)`, float64.

    Raises:
        ValueError: If a cut-off is less than 1 or the gain is unknown.

    Example:
        >>> import torch
        >>> from labelgraph.metrics import ndcg_at
        >>> ndcg_at(torch.tensor([[2, 0, 1]]), [1, 2, None])
        tensor([[1.0000, 0.7602, 0.9502]], dtype=torch.float64)
    """
    if gain not in GAINS:
        raise ValueError(f"'gain' must be one of {', '.join(GAINS)} (got {gain!r})")
    check_cuts([1 if k is None else k for k in ks] if isinstance(ks, Iterable) else ks)
    grades = as_grades(grades)
    cuts = [min(k or grades.shape[1], grades.shape[1]) for k in ks]
    gains = GAINS[gain](grades[:, : max(cuts)])
    discount = discount_sums(max(cuts), grades.device).diff()
    counts = count_grades(grades)
    return torch.stack([gains[:, :k] @ discount[:k] / ideal_dcg(counts, k, gain) for k in cuts], 1)


def discount_sums(size: int, device: torch.device) -> Tensor:
    r"""Sums of :math:`1 / \log_2(1 + i)` over the first 0, 1, ..., ``size`` ranks."""
    ranks = torch.arange(1, size + 1, dtype=torch.float64, device=device)
    return torch.cat([ranks.new_zeros(1), (ranks + 1).log2().reciprocal().cumsum(0)])


def count_grades(grades: Tensor) -> Tensor:
    """Count the items of each grade for each query: (Q, highest grade + 1)."""
    num_grades = int(grades.max()) + 1
    row = torch.arange(len(grades), device=grades.device)[:, None] * num_grades
    return torch.bincount((row + grades).flatten(), minlength=len(grades) * num_grades).view(-1, num_grades)


def ideal_dcg(counts: Tensor, k: int, gain: str) -> Tensor:
    """Return the highest possible gain of k ranks, from the counts of `count_grades`; 1 if every gain is 0."""
    falling = counts.flip(1)
    gains = GAINS[gain](torch.arange(counts.shape[1], device=counts.device)).flip(0)
    end = falling.cumsum(1)
    sums = discount_sums(k, counts.device)
    ideal = (sums[end.clamp(max=k)] - sums[(end - falling).clamp(max=k)]) @ gains
    return torch.where(ideal > 0, ideal, 1.0)
