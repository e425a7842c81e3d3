"""How likely two items share a label, and how many, by the probabilities of their labels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

BLOCK_PRODUCTS = 2**20  # 4 MiB, which stays in the caches.


def expected_relevance(p: Tensor, q: Tensor) -> Tensor:
    r"""The probability that two items share at least one label, :math:`1 - \prod_c (1 - p_c q_c)`.

    Relevance in multi-label retrieval is to share a label; so this is the expected relevance, if the
    probabilities are calibrated and labels independent given the items. `labelgraph.nn.relevance_features` ranks
    nearly the same by inner products, as indexes want it.

    Args:
        p: Probabilities of the labels of the queries, shape :math:`(Q, C)`.
        q: Those of the database, shape :math:`(N, C)`.

    Returns:
        Shape :math:`(Q, N)`. Beside it no more than a block of the products of single labels is in memory.

    Raises:
        ValueError: If shapes disagree, or there is no probability in [0, 1].

    Example:
        >>> import torch
        >>> from labelgraph.retrieval import expected_relevance
        >>> expected_relevance(torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([[0.5, 0.5], [1.0, 1.0]]))
        tensor([[0.4375, 0.7500],
                [0.5000, 1.0000]])
    """
    p, q = _checked(p, q)
    relevance = p.new_empty(len(p), len(q))
    step = max(1, math.isqrt(BLOCK_PRODUCTS // max(1, p.shape[1])))
    for first in range(0, len(p), step):
        for start in range(0, len(q), step):
            shared = p[first : first + step, None] * q[None, start : start + step]
            # The logarithm keeps what is small: 1 - (1 - 1e-9) would be 0 in float32.
            none_shared = torch.log1p(-shared).sum(-1)
            relevance[first : first + step, start : start + step] = -torch.expm1(none_shared)
    return relevance


def expected_shared(p: Tensor, q: Tensor) -> Tensor:
    r"""The expected number of labels that two items share, :math:`\sum_c p_c q_c`; the graded relevance.

    Where every item has one label, this is the probability of sharing it.

    Args:
        p: Probabilities of the labels of the queries, shape :math:`(Q, C)`.
        q: Those of the database, shape :math:`(N, C)`.

    Returns:
        Shape :math:`(Q, N)`.

    Raises:
        ValueError: If shapes disagree, or there is no probability in [0, 1].

    Example:
        >>> import torch
        >>> from labelgraph.retrieval import expected_shared
        >>> expected_shared(torch.tensor([[0.5, 0.5]]), torch.tensor([[0.5, 0.5], [1.0, 1.0]]))
        tensor([[0.5000, 1.0000]])
    """
    p, q = _checked(p, q)
    return p @ q.t()


def _checked(p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    for name, side in (("p", p), ("q", q)):
        if side.ndim != 2 or side.shape[1] != p.shape[-1]:
            raise ValueError(f"'{name}' must have the shape (N, {p.shape[-1]}) (got {tuple(side.shape)})")
        if not ((side >= 0) & (side <= 1)).all():
            raise ValueError(f"'{name}' must be probabilities in [0, 1] (got {side.min():g} to {side.max():g})")
    precision = torch.promote_types(p.dtype, q.dtype)
    return p.to(precision), q.to(precision)
