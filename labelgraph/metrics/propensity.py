"""Propensity-scored metrics of label rankings, which count rare labels more than common ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from labelgraph._core.array_kinds import plain_array
from labelgraph._core.checked_config import check_value
from labelgraph._core.checks import check_features, check_multi_hot
from labelgraph.metrics.ranked import check_cuts

DEFAULT_CUTS = (1, 3, 5)
BLOCK = 2**22  # Number of scores ranked at a time.


def propensities(counts: Any, num_items: int, a: float = 0.55, b: float = 1.5) -> np.ndarray:
    r"""Probability that a label of an item is recorded, from the number of training items of the label.

    .. math:: p_l = \frac{1}{1 + C (N_l + B)^{-A}}, \qquad C = (\log N - 1) (B + 1)^A

    Rare labels are missing more often, so they have low propensities (Jain, Prabhu and Varma, KDD 2016,
    doi:10.1145/2939672.2939756, equation 3.1).

    Args:
        counts: Number :math:`N_l` of training items of each label, shape :math:`(C,)`.
        num_items: Number :math:`N` of training items, at least 3.
        a: :math:`A`; 0.5 for Wikipedia, 0.6 for Amazon, 0.55 otherwise.
        b: :math:`B`; 0.4 for Wikipedia, 2.6 for Amazon, 1.5 otherwise.

    Returns:
        Propensities in (0, 1], shape :math:`(C,)`.

    Raises:
        ValueError: If a count is negative or more than ``num_items``, or a parameter is out of range.

    Example:
        >>> from labelgraph.metrics import propensities
        >>> propensities([1, 10, 1000], 3000).round(3).tolist()
        [0.125, 0.248, 0.794]
    """
    numbers = _numbers("counts", counts)
    if check_value("num_items", num_items, int) < 3:  # Below e, the constant C would be negative.
        raise ValueError(f"'num_items' must be at least 3 (got {num_items})")
    if a <= 0 or b <= 0:
        raise ValueError(f"'a' and 'b' must be positive (got {a:g} and {b:g})")
    if numbers.ndim != 1 or not ((numbers >= 0) & (numbers <= num_items)).all():
        raise ValueError(f"'counts' must be a vector of numbers from 0 to {num_items} (got shape {numbers.shape})")
    constant = (np.log(num_items) - 1) * (b + 1) ** a
    result: np.ndarray = 1 / (1 + constant * (numbers + b) ** -a)
    return result


def propensity_scored(
    scores: Any, labels: Any, propensity: Any, ks: Sequence[int] = DEFAULT_CUTS
) -> Mapping[str, float]:
    r"""Propensity-scored precision and nDCG at cut-offs: each item ranks all labels.

    .. math::
        \mathrm{PSP@}k = \frac{\sum_i \sum_{r=1}^{k} y_{i l_r} / p_{l_r}}{\max_{\text{rankings}} \sum_i \ldots}, \qquad
        \mathrm{PSnDCG@}k = \frac{\sum_i Z_i^{-1} \sum_{r=1}^{k} y_{i l_r} / (p_{l_r} \log_2 (r + 1))}
        {\max_{\text{rankings}} \sum_i \ldots}

    with :math:`Z_i = \sum_{r=1}^{\min(k, |y_i|)} 1 / \log_2 (r + 1)`. The divisor is the value of the best ranking, so
    that 1 is the highest value, as in the evaluation scripts of the Extreme Classification Repository. Items without
    labels do not count. Labels of equal score keep their order. Items are ranked block by block, so sparse inputs stay
    sparse beyond a block.

    Args:
        scores: Score or probability of each label for each item, shape :math:`(N, C)`, dense or sparse.
        labels: Multi-hot labels, shape :math:`(N, C)`, dense or sparse.
        propensity: Propensity of each label, shape :math:`(C,)`, see `propensities`.
        ks: Cut-offs, each at least 1; at most the number of labels counts.

    Returns:
        ``psp@K`` for each cut-off, then ``psndcg@K`` for each cut-off.

    Raises:
        ValueError: If shapes differ, scores are not finite, labels are not 0 or 1, a propensity is not in (0, 1], a
            cut-off is less than 1, or no item has a label.

    Example:
        >>> from labelgraph.metrics import propensity_scored
        >>> propensity_scored([[0.9, 0.5], [0.9, 0.5]], [[1, 0], [1, 1]], [0.5, 0.2], ks=[1])
        {'psp@1': 0.5714285714285714, 'psndcg@1': 0.5714285714285714}
    """
    given, truth = check_features("scores", scores), check_multi_hot("labels", labels)
    if tuple(given.shape) != truth.shape:
        raise ValueError(f"'scores' must have the shape of 'labels', {truth.shape} (got {tuple(given.shape)})")
    weight = _inverse(propensity, truth.shape[1])
    cuts = _checked_cuts(ks)
    if not truth.nnz:
        raise ValueError("'labels' must have at least one label (got none)")
    most = min(max(cuts), truth.shape[1])
    reached, best = torch.zeros(2, 2, len(cuts), dtype=torch.float64)
    rows = np.flatnonzero(np.diff(truth.indptr))
    for block in np.split(rows, range(0, len(rows), max(1, BLOCK // truth.shape[1]))[1:]):
        score = given[torch.from_numpy(block)].cpu() if isinstance(given, Tensor) else _dense(given[block])
        first = _first_labels(score, most)
        has = truth[block]
        number = torch.from_numpy(np.diff(has.indptr)).long()
        reached += _sums(_dense(has).gather(1, first) * weight[first], number, cuts)
        best += _sums(_best_gains(has, number, weight, most), number, cuts)
    names = [f"{kind}@{k}" for kind in ("psp", "psndcg") for k in cuts]
    return dict(zip(names, (reached / best).flatten().tolist(), strict=True))


def _numbers(name: str, values: Any) -> np.ndarray:
    numbers = plain_array(name, values)
    if numbers.dtype.kind not in "biuf":
        raise ValueError(f"'{name}' must be numbers (got {numbers.dtype})")
    return numbers.astype(np.float64)


def _inverse(propensity: Any, num_labels: int) -> Tensor:
    values = _numbers("propensity", propensity)
    if values.shape != (num_labels,) or not ((values > 0) & (values <= 1)).all():
        raise ValueError(
            f"'propensity' must be {num_labels} numbers in (0, 1], one per label (got shape {values.shape}"
            f"{f', from {values.min():g} to {values.max():g}' if values.size else ''})"
        )
    return torch.from_numpy(1 / values)


def _checked_cuts(ks: Sequence[int]) -> list[int]:
    return list(dict.fromkeys(check_cuts(ks)))


def _dense(rows: Any) -> Tensor:
    return torch.from_numpy(rows.toarray())


def _first_labels(score: Tensor, k: int) -> Tensor:
    """Return the k labels with the highest scores of each item, (b, k); labels of equal score keep their order."""
    top = score.topk(min(k + 1, score.shape[1]))
    labels, order = top.indices[:, :k].sort(1)
    labels = labels.gather(1, top.values.gather(1, order).argsort(dim=1, descending=True, stable=True))
    if k < score.shape[1]:  # Labels of equal score are inside and outside: `topk` may take any of them.
        tied = top.values[:, k - 1] == top.values[:, k]
        labels[tied] = score[tied].argsort(dim=1, descending=True, stable=True)[:, :k]
    return labels


def _best_gains(labels: sp.csr_array, number: Tensor, weight: Tensor, k: int) -> Tensor:
    """Return the k highest gains of the labels of each item, descending, (b, k)."""
    gains = torch.zeros(len(number), max(k, int(number.max())), dtype=torch.float64)
    gains[torch.arange(gains.shape[1]) < number[:, None]] = weight[torch.from_numpy(labels.indices).long()]
    return gains.topk(k).values


def _sums(ranked: Tensor, number: Tensor, cuts: Sequence[int]) -> Tensor:
    """Sum gains and discounted gains over the items at each cut-off, (2, K).

    Args:
        ranked: Gains of the first labels of each item, (b, k).
        number: Number of labels of each item, (b,).
        cuts: Cut-offs; at most k labels count.
    """
    discount = 1 / torch.arange(2, ranked.shape[1] + 2, dtype=torch.float64).log2()
    ideal = discount.cumsum(0)
    sums = []
    for k in (min(cut, ranked.shape[1]) for cut in cuts):
        divisor = ideal[number.clamp(max=k) - 1]
        sums.append(torch.stack([ranked[:, :k].sum(), ((ranked[:, :k] @ discount[:k]) / divisor).sum()]))
    return torch.stack(sums, 1)
