"""Fusion of several rankings of the same queries."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from labelgraph.search.neighbours import Neighbours

CONSTANT = 60
FUSED = "reciprocal rank"  # Name of the scores of a fusion.


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[Sequence[str]]], k: int, weights: Sequence[Sequence[float]] | None = None
) -> Neighbours:
    r"""Rank items by the sum of their reciprocal ranks in several rankings.

    .. math:: s(d) = \frac{61}{M} \sum_{m = 1}^{M} \frac{1}{60 + r_m(d)}

    with the rank :math:`r_m` of an item :math:`d` in ranking :math:`m`, from 1; a ranking without the item adds
    nothing. The score is 1 for an item that is first in all :math:`M` rankings. Cormack, Clarke and Buettcher,
    "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods", SIGIR 2009,
    doi:10.1145/1571941.1572114.

    Args:
        rankings: For each ranking and each of the Q queries, the ids from the best to the worst.
        k: Number of items to return; all queries must have the same number of items, or at least k.
        weights: Weight of each ranking for each query; by default 1.

    Returns:
        Neighbours without titles; items with equal scores are in the order of the first ranking.

    Example:
        >>> from labelgraph.search.fusion import reciprocal_rank_fusion
        >>> reciprocal_rank_fusion([[["a", "b"]], [["b", "c"]]], 2)
        Neighbours(ids=[['b', 'a']], scores=tensor([[0.9919, 0.5000]]))
    """
    fused, scores = [], []
    for query, lists in enumerate(zip(*rankings, strict=True)):
        total: dict[str, float] = {}
        for place, ids in enumerate(lists):
            weight = (1.0 if weights is None else weights[place][query]) * (CONSTANT + 1) / len(rankings)
            for rank, each in enumerate(ids, 1):
                total[each] = total.get(each, 0.0) + weight / (CONSTANT + rank)
        best = sorted(total, key=lambda each: -total[each])[:k]
        fused.append(best)
        scores.append([total[each] for each in best])
    return Neighbours(fused, torch.tensor(scores).view(len(fused), -1), [], FUSED)
