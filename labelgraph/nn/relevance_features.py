"""Label probabilities as features whose product says how likely two items share a label."""

from __future__ import annotations

import math

import torch
from torch import Tensor


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
        >>> from labelgraph.nn import relevance_features
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
        before = sum(weight * exact_at**power for power, weight in enumerate(weights[:-1], 1))
        weights[-1] = (-math.log1p(-exact_at) - before) / exact_at**order
    return weights
