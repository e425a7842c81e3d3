"""Discounted cumulative gain of graded relevance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

GAINS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda grades: grades.double(),
    "exponential": lambda grades: grades.double().exp2() - 1,
}


def ndcg_at(grades: Tensor, ks: Sequence[int | None], gain: str = "linear") -> Tensor:
    r"""Normalised discounted cumulative gain, for several cut-offs.

    .. math:: \mathrm{nDCG}@k = \sum_{i=1}^{k} \frac{g(y_i)}{\log_2(1 + i)} \Big/
        \sum_{i=1}^{k} \frac{g(y^*_i)}{\log_2(1 + i)},

    with the grade :math:`y_i` at rank :math:`i`, such as the number of labels shared with the query, and
    :math:`y^*` all grades in falling order. The gain is :math:`g(y) = y` (``"linear"``, Järvelin and Kekäläinen,
    TOIS 2002, doi:10.1145/582415.582418) or :math:`2^y - 1` (``"exponential"``, Burges et al., ICML 2005,
    doi:10.1145/1102351.1102363). A query without relevant items scores 0.

    Args:
        grades: Whole numbers in ranked order over the whole database, shape :math:`(Q, N)`.
        ks: Cut-offs, each at least 1; none is the whole ranking.
        gain: Which of the two.

    Returns:
        Shape :math:`(Q, |ks|)`, float64.

    Raises:
        ValueError: If a cut-off is less than 1 or the gain is unknown.

    Example:
        >>> import torch
        >>> from labelgraph.retrieval import ndcg_at
        >>> ndcg_at(torch.tensor([[2, 0, 1]]), [1, 2, None])
        tensor([[1.0000, 0.7602, 0.9502]], dtype=torch.float64)
    """
    if gain not in GAINS:
        raise ValueError(f"'gain' must be one of {', '.join(GAINS)} (got {gain!r})")
    if any(k is not None and k < 1 for k in ks):
        raise ValueError(f"'ks' must be at least 1 (got {min(k for k in ks if k is not None)})")
    cuts = [min(k or grades.shape[1], grades.shape[1]) for k in ks]
    gains = GAINS[gain](grades[:, : max(cuts)])
    discount = discount_sums(max(cuts), grades.device).diff()
    counts = count_grades(grades)
    return torch.stack([gains[:, :k] @ discount[:k] / ideal_dcg(counts, k, gain) for k in cuts], 1)


def discount_sums(size: int, device: torch.device) -> Tensor:
    r"""Sums of :math:`1 / \log_2(1 + i)` over the first ranks, from none to ``size`` of them."""
    ranks = torch.arange(1, size + 1, dtype=torch.float64, device=device)
    return torch.cat([ranks.new_zeros(1), (ranks + 1).log2().reciprocal().cumsum(0)])


def count_grades(grades: Tensor) -> Tensor:
    """How many items of a query have each grade: (Q, highest grade + 1)."""
    num_grades = int(grades.max()) + 1
    row = torch.arange(len(grades), device=grades.device)[:, None] * num_grades
    return torch.bincount((row + grades).flatten(), minlength=len(grades) * num_grades).view(-1, num_grades)


def ideal_dcg(counts: Tensor, k: int, gain: str) -> Tensor:
    """The highest gain that k ranks can have, by the counts of `count_grades`; 1 where there is no gain at all."""
    falling = counts.flip(1)
    gains = GAINS[gain](torch.arange(counts.shape[1], device=counts.device)).flip(0)
    end = falling.cumsum(1)
    sums = discount_sums(k, counts.device)
    ideal = (sums[end.clamp(max=k)] - sums[(end - falling).clamp(max=k)]) @ gains
    return torch.where(ideal > 0, ideal, 1.0)
