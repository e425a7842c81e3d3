"""Metrics in expectation over the order of items that tie, in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from labelgraph.retrieval.metrics import check_average_precision, hits_needed
from labelgraph.retrieval.ties import Ties, first, log_choose


def expected_average_precision(
    total: Tensor, relevant: Tensor, k: int | None = None, definition: str = "topk"
) -> Tensor:
    r"""Average precision in expectation over a random order of the items in each bucket.

    After :math:`N_0` items with :math:`R_0` relevant ones, a bucket of :math:`n` items with :math:`r` relevant ones
    adds, over its first :math:`m` places,

    .. math:: \sum_{i=1}^{m} \frac{r}{n}\, \frac{R_0 + 1 + (i - 1) \frac{r - 1}{n - 1}}{N_0 + i}

    to the sum of precisions (McSherry and Najork, ECIR 2008, doi:10.1007/978-3-540-78646-7_38), which sums of
    :math:`1 / i` give without a loop. Where the divisor of a definition depends on the order as well, the number of
    hits above a cut within a bucket (``"topk"``) or the place of the last hit that counts (``"first-k"``) has a
    hypergeometric distribution, and given it the same sum holds.

    Args:
        total: Items in each bucket, best bucket first, shape :math:`(Q, K)`; 0 where a bucket is empty.
        relevant: Relevant items in each bucket, shape :math:`(Q, K)`.
        k: Cut-off; by default none.
        definition: See `average_precision`.

    Returns:
        Shape :math:`(Q,)`, float64. A query without relevant items scores 0.

    Raises:
        ValueError: If ``k`` is less than 1 or the definition is unknown.

    Example:
        One of two tied items is relevant: it stands first or second.

        >>> import torch
        >>> from labelgraph.retrieval import expected_average_precision
        >>> expected_average_precision(torch.tensor([[2]]), torch.tensor([[1]]))
        tensor([0.7500], dtype=torch.float64)
    """
    check_average_precision(k, definition)
    ties = Ties(total, relevant)
    if k is None or k >= ties.size:
        return ties.precisions(ties.size) / ties.found.clamp(min=1)
    if definition == "topk":
        return _cut_by_rank(ties, k)
    if definition == "first-k":
        return _cut_by_hits(ties, k)
    return ties.precisions(k) / ties.found.clamp(min=1, max=k if definition == "min(k,R)" else None)


def expected_precision_at_recall(total: Tensor, relevant: Tensor, recall: Sequence[float]) -> Tensor:
    r"""Precision at recall levels, see `precision_at_recall`, in expectation over the order within buckets.

    Args:
        total: Items in each bucket, best bucket first, shape :math:`(Q, K)`.
        relevant: Relevant items in each bucket, shape :math:`(Q, K)`.
        recall: Levels in [0, 1].

    Returns:
        Shape :math:`(Q, |recall|)`, float64.

    Raises:
        ValueError: If a level is not in [0, 1].

    Example:
        >>> import torch
        >>> from labelgraph.retrieval import expected_precision_at_recall
        >>> expected_precision_at_recall(torch.tensor([[2]]), torch.tensor([[1]]), [1.0])
        tensor([[0.7500]], dtype=torch.float64)
    """
    ties = Ties(total, relevant)
    columns = []
    for needed in hits_needed(ties.found, recall).split(1, 1):
        size, found, before, hits = ties.bucket(first(ties.hits + ties.relevant >= needed))
        place = _places(size)
        chance = _chance_of_place(place, size, found, needed - hits)
        columns.append((chance * needed / (before + place)).sum(1))
    return torch.stack(columns, 1)


def _cut_by_rank(ties: Ties, k: int) -> Tensor:
    """The mean over the hits among the first k, whose number is random where the cut divides a bucket."""
    whole = ties.before + ties.total <= k
    size, relevant, before, hits = ties.bucket(first(~whole))
    drawn = (k - before).clamp(min=0).minimum(size)
    inside = torch.arange(int(drawn.max()) + 1, device=size.device)
    ways = log_choose(relevant, inside) + log_choose(size - relevant, drawn - inside)
    chance = (ways - log_choose(size, drawn)).exp()
    sums = ties.precisions(k, whole)[:, None] + ties.over(drawn, drawn, inside, before, hits)
    return (chance * sums / (hits + inside).clamp(min=1)).sum(1)


def _cut_by_hits(ties: Ties, k: int) -> Tensor:
    """The mean over the first k hits; the place of the last of them is random within its bucket."""
    whole = ties.hits + ties.relevant <= k
    size, relevant, before, hits = ties.bucket(first(~whole))
    place, needed = _places(size), k - hits
    earlier = (place - 1).minimum(size)
    sums = ties.over(earlier, earlier, needed - 1, before, hits) + (hits + needed).double() / (before + place)
    last = (_chance_of_place(place, size, relevant, needed) * sums).sum(1)
    return (ties.precisions(ties.size, whole) + last) / ties.found.clamp(min=1, max=k)


def _places(size: Tensor) -> Tensor:
    return torch.arange(1, max(1, int(size.max())) + 1, device=size.device)


def _chance_of_place(place: Tensor, size: Tensor, relevant: Tensor, needed: Tensor) -> Tensor:
    """Probability that the ``needed``-th of the relevant items of a bucket stands at a place, counted from 1."""
    ways = log_choose(place - 1, needed - 1) + log_choose(size - place, relevant - needed)
    return (ways - log_choose(size, relevant)).exp()
