"""Evaluation of label classifiers: average precision of each label, and of rare labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from labelgraph._core.checked_config import CountInt, check_value
from labelgraph._core.checks import check_features, check_multi_hot
from labelgraph._core.multi_hot import item_sums, label_sums
from labelgraph._core.names import SIDES, check_name
from labelgraph.data import COUNT_BINS, CrossModalData, count_bins
from labelgraph.data.pairs import check_pairs
from labelgraph.inference import highest_label_scores, label_probabilities, label_scores
from labelgraph.methods import Method
from labelgraph.metrics.metric_options import TIES
from labelgraph.metrics.propensity import DEFAULT_CUTS, propensities, propensity_scored
from labelgraph.metrics.protocols import PROTOCOLS, Encoder, check_encoder
from labelgraph.metrics.ranked import average_precision
from labelgraph.metrics.ties import expected_average_precision

BLOCK = 2**18  # Number of scores ranked at a time.
LEAST = 3  # Training items that propensities need.


@dataclass(frozen=True)
class LabelReport:
    """Results of the label classifiers of one side; labels without a positive item do not count.

    Args:
        average_precision: Mean average precision over the labels (macro).
        num_labels: Number of labels that count.
        per_label: Average precision of each label, (C,); NaN if the label does not count.
        by_count: Mean average precision by the number of training items of the label, such as ``"3-5"``, see
            `count_bins`.
        labels_by_count: Number of labels that count, by the number of training items.
        metrics: ``psp@K`` and ``psndcg@K``, see `propensity_scored`.
    """

    average_precision: float
    num_labels: int
    per_label: list[float]
    by_count: Mapping[str, float] = field(default_factory=dict)
    labels_by_count: Mapping[str, int] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


def label_average_precision(scores: Any, labels: Any, *, ties: str = "database") -> Tensor:
    r"""Average precision of each label: rank all items by the score of the label; items with the label are relevant.

    Dense scores are ranked block by block. Of sparse scores, only the stored ones are sorted, so time and memory depend
    on their number. Scores are compared in float32.

    Args:
        scores: Score or probability of each label for each item, shape :math:`(N, C)`; absent entries of a sparse
            matrix are 0.
        labels: Multi-hot labels, shape :math:`(N, C)`, dense or sparse.
        ties: Items of equal score: ``"database"`` keeps their order; ``"expected"`` takes the expected value over all
            orders.

    Returns:
        Average precision, shape :math:`(C,)`, float64; NaN for a label that no item has.

    Raises:
        ValueError: If the shapes differ, scores are not finite, labels are not 0 or 1, or ``ties`` is unknown.

    Example:
        >>> from labelgraph.metrics import label_average_precision
        >>> label_average_precision([[0.9, 0.1], [0.5, 0.2], [0.1, 0.3]], [[0, 0], [1, 0], [1, 0]])
        tensor([0.5833,    nan], dtype=torch.float64)
    """
    check_name("ties", ties, TIES)
    given, truth = check_features("scores", scores), check_multi_hot("labels", labels).tocsc()
    if tuple(given.shape) != truth.shape:
        raise ValueError(f"'scores' must have the shape of 'labels', {truth.shape} (got {tuple(given.shape)})")
    precisions = _of_dense if isinstance(given, Tensor) else _of_sparse
    asked = np.flatnonzero(np.diff(truth.indptr))
    values = torch.full((truth.shape[1],), torch.nan, dtype=torch.float64)
    if len(asked):
        values[torch.from_numpy(asked)] = precisions(given, truth, asked, ties)
    return values


def _of_dense(scores: Tensor, truth: sp.csc_array, asked: np.ndarray, ties: str) -> Tensor:
    """Average precision of some labels, (b,), from the scores of all items, (N, C)."""
    values = torch.empty(len(asked), dtype=torch.float64)
    for part in torch.arange(len(asked)).split(max(1, BLOCK // truth.shape[0])):
        block = asked[part.numpy()]
        score = scores[:, torch.from_numpy(block).to(scores.device)].t()
        relevant = torch.from_numpy(truth[:, block].toarray().T > 0).to(score.device)
        values[part] = _ranked_precision(score, relevant, ties).cpu()
    return values


def _ranked_precision(score: Tensor, relevant: Tensor, ties: str) -> Tensor:
    """Average precision of some labels from scores and relevance, both (b, N)."""
    ordered, order = score.sort(dim=1, descending=True, stable=True)
    ranked = relevant.gather(1, order)
    if ties == "database":
        return average_precision(ranked)
    bucket = torch.zeros_like(order)
    bucket[:, 1:] = (ordered[:, 1:] != ordered[:, :-1]).cumsum(1)
    total = torch.zeros_like(order).scatter_add_(1, bucket, torch.ones_like(order))
    return expected_average_precision(total, torch.zeros_like(order).scatter_add_(1, bucket, ranked.long()))


def _of_sparse(scores: sp.csr_array, truth: sp.csc_array, asked: np.ndarray, ties: str) -> Tensor:
    """Average precision of some labels, (b,), from stored scores, (N, C); only items with a score are sorted."""
    by_label = scores.tocsc()
    by_label.sum_duplicates()
    by_label.eliminate_zeros()
    stored = np.diff(by_label.indptr)[asked]
    values = torch.empty(len(asked), dtype=torch.float64)
    places = stored.argsort(kind="stable")[::-1]  # Labels with equally many scores share a matrix.
    while len(places):
        step = max(1, BLOCK // (int(stored[places[0]]) + 1))
        block, places = places[:step].copy(), places[step:]
        rankings = [_SparseRanking.of_label(by_label, truth, label) for label in asked[block]]
        if ties == "database":
            precisions = torch.tensor([ranking.precision() for ranking in rankings], dtype=torch.float64)
        else:
            total, relevant = zip(*(ranking.buckets() for ranking in rankings), strict=True)
            precisions = expected_average_precision(pad_sequence([*total], True), pad_sequence([*relevant], True))
        values[torch.from_numpy(block)] = precisions
    return values


class _SparseRanking(NamedTuple):
    """The ranking of N items by their scores, most of which are 0.

    Args:
        scores: The scores other than 0, falling; equal scores in the order of their items, (S,).
        relevant: Whether these items have the label, (S,).
        zeros: Ranks of the items that have the label and the score 0, among the items of score 0, ascending.
        size: N.
    """

    scores: np.ndarray
    relevant: np.ndarray
    zeros: np.ndarray
    size: int

    @classmethod
    def of_label(cls, scores: sp.csc_array, truth: sp.csc_array, label: int) -> _SparseRanking:
        """Rank the items by the scores of a label."""
        part, has = (slice(*side.indptr[label : label + 2]) for side in (scores, truth))
        items, score, having = scores.indices[part], scores.data[part], truth.indices[has]
        order = (-score).argsort(kind="stable")
        place = np.searchsorted(items, having)
        scored = np.zeros(len(having), bool) if not len(items) else items.take(place, mode="clip") == having
        relevant = np.zeros(len(items), bool)
        relevant[place[scored]] = True
        return cls(score[order], relevant[order], (having - place)[~scored], truth.shape[0])

    @property
    def above(self) -> int:
        """Number of scores above 0."""
        return int(np.count_nonzero(self.scores > 0))

    def precision(self) -> float:
        """Average precision, where items of equal score keep their order."""
        place = np.flatnonzero(self.relevant)
        place[place >= self.above] += self.size - len(self.scores)
        ranks = 1 + np.sort(np.concatenate([place, self.above + self.zeros]))
        return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))

    def buckets(self) -> tuple[Tensor, Tensor]:
        """Return the numbers of items, and of items with the label, of each score, by falling score."""
        new = np.ones(len(self.scores), bool)
        new[1:] = self.scores[1:] != self.scores[:-1]
        starts = np.flatnonzero(new)
        total = np.diff(starts, append=len(self.scores))
        relevant = np.add.reduceat(self.relevant, starts, dtype=np.int64) if len(starts) else total
        zero = np.searchsorted(starts, self.above)
        total = np.insert(total, zero, self.size - len(self.scores))
        return torch.from_numpy(total), torch.from_numpy(np.insert(relevant, zero, len(self.zeros)))


def label_report(
    scores: Any,
    labels: Any,
    counts: Sequence[int] | np.ndarray | Tensor | None = None,
    num_items: int | None = None,
    *,
    ties: str = "database",
    ks: Sequence[int] = DEFAULT_CUTS,
) -> LabelReport:
    """Evaluate label classifiers on some items: macro average precision, by the label's count, and PSP.

    Args:
        scores: See `label_average_precision`.
        labels: See `label_average_precision`.
        counts: Number of training items of each label, shape (C,).
        num_items: Number of training items. Propensities, and hence PSP, need both numbers and at least 3 items.
        ties: See `label_average_precision`.
        ks: Cut-offs of PSP.

    Raises:
        ValueError: As for `label_average_precision` and `propensities`, or if no item has a label.

    Example:
        >>> from labelgraph.metrics import label_report
        >>> report = label_report([[0.9, 0.1], [0.5, 0.2], [0.1, 0.3]], [[1, 0], [0, 0], [1, 1]], [30, 2], 31)
        >>> report.average_precision, report.by_count["1-2"], sorted(report.metrics)[-1]
        (0.9166666666666666, 1.0, 'psp@5')
    """
    values = label_average_precision(scores, labels, ties=ties).numpy()
    counted = ~np.isnan(values)
    if not counted.any():
        raise ValueError("'labels' must have at least one label (got none)")
    report: dict[str, Any] = {"by_count": {}, "labels_by_count": {}, "metrics": {}}
    if num_items is not None:
        check_value("num_items", num_items, CountInt)
    if counts is not None:
        numbers = np.asarray(counts)
        if numbers.shape != values.shape:
            raise ValueError(f"'counts' must have {len(values)} entries, one per label (got {numbers.shape})")
        bins = count_bins(numbers)
        inside = {name: values[counted & (bins == name)] for name in COUNT_BINS}
        report["by_count"] = {name: float(part.mean()) for name, part in inside.items() if len(part)}
        report["labels_by_count"] = {name: len(part) for name, part in inside.items() if len(part)}
        if num_items is not None and num_items >= LEAST:
            report["metrics"] = propensity_scored(scores, labels, propensities(numbers, num_items), ks)
    return LabelReport(float(values[counted].mean()), int(counted.sum()), values.tolist(), **report)


def evaluate_labels(
    method: Method | Encoder,
    data: CrossModalData,
    protocol: str = "test-vs-test",
    counts: Sequence[int] | np.ndarray | Tensor | None = None,
    num_items: int | None = None,
    *,
    ties: str = "database",
) -> dict[str, LabelReport]:
    """Evaluate the label classifiers of a method on held-out images and on held-out texts.

    Args:
        method: A method, whose first labels are the labels of the data; or a function that returns scores of the labels
            for the images and for the texts of some pairs, (N, C) each.
        data: Data with the splits of the protocol.
        protocol: Key of ``PROTOCOLS``; the items are those of its first split, because its second split may contain
            training items.
        counts: Number of training items of each label, shape (C,). Defaults to the counts in the split ``train``, if
            there is one.
        num_items: Number of training items. Defaults to the size of the split ``train``, if there is one.
        ties: See `label_average_precision`.

    Returns:
        Reports by side, ``"image"`` and ``"text"``; a side that no item has is left out. Empty if the method does not
        score labels. Labels are ranked by calibrated probabilities, if the method has them.

    Raises:
        ValueError: If the protocol is unknown, or the data lack a split of the protocol.
    """
    check_encoder("method", method)
    check_pairs("data", data)
    check_name("protocol", protocol, PROTOCOLS)
    if isinstance(method, Method) and not method.scores_labels:
        return {}
    items = data.split(PROTOCOLS[protocol][0])
    if "train" in data.splits:
        train = data.rows("train")
        counts = label_sums(data.label_rows(train, dense=False)) if counts is None else counts
        num_items = len(train) if num_items is None else num_items
    scores = _scores(method, items)
    reports = {}
    for side, present in zip(SIDES, items.present.t(), strict=True):
        labels = items.label_rows(present.nonzero().flatten(), dense=False)
        if item_sums(labels).any():
            given = scores[side][present if isinstance(scores[side], Tensor) else present.numpy()]
            reports[side] = label_report(given, labels, counts, num_items, ties=ties)
    return reports


def _scores(method: Method | Encoder, data: CrossModalData) -> Mapping[str, Any]:
    if isinstance(method, Method):
        calibrated = getattr(method, "calibrations", None) is not None
        other = highest_label_scores if method.takes_sparse_labels else label_scores
        scores = label_probabilities(method, data) if calibrated else other(method, data)
        return {side: columns[:, : data.num_labels] for side, columns in scores.items()}  # Added labels come last.
    return dict(zip(SIDES, method(data), strict=True))
