"""Relevance scores of pairs from label probabilities, and features whose inner products rank by relevance."""

from __future__ import annotations

import math
from typing import Any

import torch
from scipy.special import hyp2f1
from torch import Tensor

from labelgraph._core.array_kinds import plain_array
from labelgraph._core.similarity import unit_length

BLOCK_PRODUCTS = 2**20  # 4 MiB, which fits into the CPU caches.


def expected_relevance(p: Tensor, q: Tensor) -> Tensor:
    r"""Compute the probability that two items share at least one label, :math:`1 - \prod_c (1 - p_c q_c)`.

    In multi-label retrieval, two items are relevant to each other if they share a label. The result is therefore the
    expected relevance, if the probabilities are calibrated and labels are independent given the items.
    `labelgraph.probability.relevance_features` approximates the same ranking by inner products, for use in an index.

    Args:
        p: Label probabilities of the queries, shape :math:`(Q, C)`.
        q: Label probabilities of the gallery, shape :math:`(N, C)`.

    Returns:
        Probabilities, shape :math:`(Q, N)`. They are computed in blocks, which bounds the additional memory.

    Raises:
        ValueError: If the numbers of labels differ, or a value is not a probability in [0, 1].

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
            # Logarithms preserve small probabilities: 1 - (1 - 1e-9) would be 0 in float32.
            none_shared = torch.log1p(-shared).sum(-1)
            relevance[first : first + step, start : start + step] = -torch.expm1(none_shared)
    return relevance


def expected_shared(p: Tensor, q: Tensor) -> Tensor:
    r"""Compute the expected number of labels that two items share, :math:`\sum_c p_c q_c`, a graded relevance.

    If every item has exactly one label, the result is the probability that the two items have the same label.

    Args:
        p: Label probabilities of the queries, shape :math:`(Q, C)`.
        q: Label probabilities of the gallery, shape :math:`(N, C)`.

    Returns:
        Expected numbers of shared labels, shape :math:`(Q, N)`.

    Raises:
        ValueError: If the numbers of labels differ, or a value is not a probability in [0, 1].

    Example:
        >>> import torch
        >>> from labelgraph.probability import expected_shared
        >>> expected_shared(torch.tensor([[0.5, 0.5]]), torch.tensor([[0.5, 0.5], [1.0, 1.0]]))
        tensor([[0.5000, 1.0000]])
    """
    p, q = _checked(p, q)
    return p @ q.t()


def expected_jaccard(p: Tensor, q: Tensor) -> Tensor:
    r"""Estimate the Jaccard coefficient of the label sets of two items from label probabilities.

    .. math:: J = \frac{p \cdot q}{|p|_1 + |q|_1 - p \cdot q}, \qquad 0 \text{ where both are } 0

    The numerator is the expected number of shared labels. The denominator is the expected number of labels that at
    least one of the two items has, if labels are independent given the items. The ratio of expectations is exact for
    probabilities of 0 or 1, and otherwise approximates the expected ratio :math:`E[|Y \cap Z| / |Y \cup Z|]`.

    Args:
        p: Label probabilities of the queries, shape :math:`(Q, C)`.
        q: Label probabilities of the gallery, shape :math:`(N, C)`.

    Returns:
        Coefficients in [0, 1], shape :math:`(Q, N)`. They are computed in blocks, which bounds the additional memory.

    Raises:
        ValueError: If the numbers of labels differ, or a value is not a probability in [0, 1].

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
    r"""Compute the cosine of label probabilities, :math:`p \cdot q / (|p|_2 |q|_2)`, or 0 if a vector is 0.

    For probabilities of 0 or 1, the result is the cosine of two label sets, :math:`|Y \cap Z| / \sqrt{|Y| |Z|}`.
    Multiplying all probabilities of an item by a constant does not change the result.

    Args:
        p: Label probabilities of the queries, shape :math:`(Q, C)`.
        q: Label probabilities of the gallery, shape :math:`(N, C)`.

    Returns:
        Cosines in [0, 1], shape :math:`(Q, N)`.

    Raises:
        ValueError: If the numbers of labels differ, or a value is not a probability in [0, 1].

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
        value if isinstance(value, Tensor) else torch.from_numpy(plain_array(name, value))
        for name, value in (("p", p), ("q", q))
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
    r"""Compute weighted powers of label probabilities, whose inner products rank by expected relevance.

    Two items with the label probabilities :math:`p` and :math:`q` share no label with the probability
    :math:`\prod_c (1 - p_c q_c)`, if labels are independent given the items. The negative logarithm

    .. math::
        -\sum_c \log(1 - p_c q_c) = \sum_c \sum_{k \ge 1} \frac{(p_c q_c)^k}{k}
        \approx \langle \phi(p), \phi(q) \rangle, \\
        \phi(p) = \left(\sqrt{w_k} \, p_c^k\right)_{c, \, k \le K}, \quad w_k = \frac{1}{k}

    increases with the probability that the items share a label (`expected_relevance`). An index that searches for the
    largest inner product therefore returns the items that are most likely relevant.

    The truncation error of a label with :math:`s = p_c q_c` is :math:`\sum_{k > K} s^k / k \le \frac{1}{K + 1}
    \sum_{k > K} s^k = \frac{s^{K + 1}}{(K + 1)(1 - s)}`. The inner product is too small by the sum of the errors of
    all labels. The error of a label grows without bound as :math:`s` approaches 1.

    With ``exact_at`` :math:`= s_0`, the last weight :math:`w_K` includes the remainder of the series at :math:`s_0`.
    The sum of a label is then exact at :math:`s = s_0`, too large by at most :math:`s^K (w_K - 1 / K)` below
    :math:`s_0`, and too small above. Inner products are always finite, also at :math:`s = 1`.

    Args:
        probabilities: Label probabilities of the items, in [0, 1], shape :math:`(N, C)`.
        order: Number :math:`K` of powers; with 1, inner products are expected numbers of shared labels.
        exact_at: Point :math:`s_0` in (0, 1) where the sum is exact; defaults to None, the truncated series.

    Returns:
        Features, shape :math:`(N, C K)`; the powers of a label are :math:`C` columns apart.

    Raises:
        ValueError: If ``order`` is below 1 or ``exact_at`` is not in (0, 1).

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
        # The sum of s^m / (K + m) over all m from 0. A difference of logarithms would be inexact.
        weights[-1] = float(hyp2f1(1, order, order + 1, exact_at)) / order
    return weights
