"""Scores of pairs from label probabilities, and features whose inner products rank by them."""

from __future__ import annotations

import math
from typing import Any

import torch
from scipy.special import hyp2f1
from torch import Tensor

from labelgraph._core.array_kinds import plain_array
from labelgraph._core.similarity import unit_length

BLOCK_PRODUCTS = 2**20  # 4 MiB, which stays in the caches.


def expected_relevance(p: Tensor, q: Tensor) -> Tensor:
    r"""The probability that two items share at least one label, :math:`1 - \prod_c (1 - p_c q_c)`.

    Relevance in multi-label retrieval is to share a label; so this is the expected relevance, if the
    probabilities are calibrated and labels independent given the items. `labelgraph.probability.relevance_features`
    ranks nearly the same by inner products, as indexes want it.

    Args:
        p: Probabilities of the labels of the queries, shape :math:`(Q, C)`.
        q: Those of the database, shape :math:`(N, C)`.

    Returns:
        Shape :math:`(Q, N)`. Beside it no more than a block of the products of single labels is in memory.

    Raises:
        ValueError: If shapes disagree, or there is no probability in [0, 1].

    Example:
        >>> import torch
        >>> from labelgraph.probability import expected_relevance
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
        >>> from labelgraph.probability import expected_shared
        >>> expected_shared(torch.tensor([[0.5, 0.5]]), torch.tensor([[0.5, 0.5], [1.0, 1.0]]))
        tensor([[0.5000, 1.0000]])
    """
    p, q = _checked(p, q)
    return p @ q.t()


def expected_jaccard(p: Tensor, q: Tensor) -> Tensor:
    r"""The Jaccard coefficient of two items' label sets, as expected from probabilities.

    .. math:: J = \frac{p \cdot q}{|p|_1 + |q|_1 - p \cdot q}, \qquad 0 \text{ where both are } 0

    the expected number of labels that the two share, over the expected number that one of them has, if labels are
    independent given the items. This ratio of expectations is exact where the probabilities are 0 or 1, and an
    approximation of the expected ratio :math:`E[|Y \cap Z| / |Y \cup Z|]` in between.

    Args:
        p: Probabilities of the labels of the queries, shape :math:`(Q, C)`.
        q: Those of the database, shape :math:`(N, C)`.

    Returns:
        From 0 to 1, shape :math:`(Q, N)`. Beside it no more than a block of unions is in memory.

    Raises:
        ValueError: If shapes disagree, or there is no probability in [0, 1].

    Example:
        >>> import torch
        >>> from labelgraph.probability import expected_jaccard
        >>> expected_jaccard(torch.tensor([[0.5, 0.5]]), torch.tensor([[0.5, 0.5], [1.0, 1.0], [0.0, 0.0]]))
        tensor([[0.3333, 0.5000, 0.0000]])
    """
    p, q = _checked(p, q)
    scores, length = p.new_empty(len(p), len(q)), q.sum(1)
    step = max(1, BLOCK_PRODUCTS // max(1, len(q)))
    for first in range(0, len(p), step):
        rows = p[first : first + step]
        shared = rows @ q.t()
        union = rows.sum(1, keepdim=True) + length - shared
        scores[first : first + step] = shared / union.clamp(min=torch.finfo(p.dtype).tiny)
    return scores


def expected_cosine(p: Tensor, q: Tensor) -> Tensor:
    r"""The cosine of label probabilities, :math:`p \cdot q / (|p|_2 |q|_2)`, 0 where one of them is 0.

    Where the probabilities are 0 or 1 this is the cosine of two label sets, :math:`|Y \cap Z| / \sqrt{|Y| |Z|}`. How
    many labels an item has, or how sure it is of them, does not matter.

    Args:
        p: Probabilities of the labels of the queries, shape :math:`(Q, C)`.
        q: Those of the database, shape :math:`(N, C)`.

    Returns:
        From 0 to 1, shape :math:`(Q, N)`.

    Raises:
        ValueError: If shapes disagree, or there is no probability in [0, 1].

    Example:
        >>> import torch
        >>> from labelgraph.probability import expected_cosine
        >>> expected_cosine(torch.tensor([[0.6, 0.8]]), torch.tensor([[0.3, 0.4], [1.0, 0.0], [0.0, 0.0]]))
        tensor([[1.0000, 0.6000, 0.0000]])
    """
    p, q = _checked(p, q)
    return unit_length(p) @ unit_length(q).t()


def _checked(p: Any, q: Any) -> tuple[Tensor, Tensor]:
    p, q = (
        given if isinstance(given, Tensor) else torch.from_numpy(plain_array(name, given))
        for name, given in (("p", p), ("q", q))
    )
    for name, side in (("p", p), ("q", q)):
        if side.ndim != 2 or side.shape[1] != p.shape[-1]:
            raise ValueError(f"'{name}' must have the shape (N, {p.shape[-1]}) (got {tuple(side.shape)})")
        if not ((side >= 0) & (side <= 1)).all():
            raise ValueError(f"'{name}' must be probabilities in [0, 1] (got {side.min():g} to {side.max():g})")
    precision = torch.promote_types(p.dtype, q.dtype)
    precision = precision if precision.is_floating_point else torch.get_default_dtype()
    return p.to(precision), q.to(precision)


def relevance_features(probabilities: Tensor, order: int = 4, exact_at: float | None = None) -> Tensor:
    r"""Powers of probabilities, of which the inner product ranks by expected relevance.

    Two items with the probabilities :math:`p` and :math:`q` of the labels share none of them with the probability
    :math:`\prod_c (1 - p_c q_c)`, if labels are independent given the items. Its negative logarithm

    .. math::
        -\sum_c \log(1 - p_c q_c) = \sum_c \sum_{k \ge 1} \frac{(p_c q_c)^k}{k}
        \approx \langle \phi(p), \phi(q) \rangle, \\
        \phi(p) = \left(\sqrt{w_k} \, p_c^k\right)_{c, \, k \le K}, \quad w_k = \frac{1}{k}

    rises with the probability that they share one (`expected_relevance`), so that any index by largest inner
    product finds what is most likely relevant.

    With :math:`s = p_c q_c` a label lacks :math:`\sum_{k > K} s^k / k \le \frac{1}{K + 1} \sum_{k > K} s^k =
    \frac{s^{K + 1}}{(K + 1)(1 - s)}`; the product is too small by at most the sum of these. That grows without bound
    where :math:`s` nears 1. With ``exact_at`` :math:`= s_0` the last weight :math:`w_K` also holds what is lacking at
    :math:`s_0`, where the sum is then exact; below it is too large by at most :math:`s^K (w_K - 1 / K)`, above too
    small. Products stay finite either way, at 1 too.

    Args:
        probabilities: Of each label for each item, in [0, 1], shape :math:`(N, C)`.
        order: :math:`K`, how many powers; 1 gives the expected number of shared labels.
        exact_at: :math:`s_0`, in (0, 1); by default the plain series.

    Returns:
        Shape :math:`(N, C K)`; the powers of a label are :math:`C` columns apart.

    Raises:
        ValueError: If ``order`` is below 1 or ``exact_at`` not in (0, 1).

    Example:
        >>> import torch
        >>> from labelgraph.probability import relevance_features
        >>> p, q = torch.tensor([[0.5, 0.1]]), torch.tensor([[0.4, 0.0]])
        >>> relevance_features(p, 3) @ relevance_features(q, 3).t()  # -log(1 - 0.2) = 0.2231
        tensor([[0.2227]])
    """
    weights = torch.tensor(_weights(order, exact_at), dtype=probabilities.dtype, device=probabilities.device).sqrt()
    return torch.cat([weight * probabilities**power for power, weight in enumerate(weights, 1)], 1)


def _weights(order: int, exact_at: float | None) -> list[float]:
    if order < 1:
        raise ValueError(f"'order' must be at least 1 (got {order})")
    weights = [1 / power for power in range(1, order + 1)]
    if exact_at is not None:
        if not 0 < exact_at < 1:
            raise ValueError(f"'exact_at' must be in (0, 1) (got {exact_at})")
        # The sum of s^m / (K + m) over all m from 0; a difference of logarithms would lose it in rounding.
        weights[-1] = float(hyp2f1(1, order, order + 1, exact_at)) / order
    return weights
