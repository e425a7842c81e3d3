"""Nearest neighbours among the vectors of label names, without a matrix of all cosines."""

from __future__ import annotations

import torch
from torch import Tensor

from labelgraph._core.lazy import import_faiss
from labelgraph._core.multi_hot import DENSE_LABELS

BLOCK_COSINES = 2**23
RUN = 64  # The k nearest are in the k runs of so many labels with the highest maxima: few values need to be sorted.
ITEMS_PER_CLUSTER = 39  # FAISS recommends at least so many to find a cluster.
SPARE = 8  # Further candidates whose order float32 may confuse; float64 settles it.

Edges = tuple[Tensor, Tensor, Tensor]


def nearest_names(unit: Tensor, k: int, threshold: float, probes: int | None = None) -> Edges:
    """Return sources, targets and cosines of the edges into each label, in blocks of targets.

    More than ``DENSE_LABELS`` labels are compared in float32, which is several times faster, and only the candidates in
    float64; cosines that differ by less than 1e-7 may be confused where more than `SPARE` labels are so close.

    Args:
        unit: Vectors of length 1 or 0, float64, (C, F).
        k: Largest number of edges into a label.
        threshold: Smallest cosine of an edge.
        probes: Compare each label only with the labels of so many clusters, by FAISS; by default, with all labels.

    Raises:
        ImportError: If ``probes`` is given and FAISS is not installed.
    """
    size = len(unit)
    parts = []
    step = max(1, BLOCK_COSINES // size)
    candidates: _Candidates | _Clusters | None = None
    if size > DENSE_LABELS:
        number = min(k + SPARE, size)
        step = max(1, min(step, BLOCK_COSINES // (number * unit.shape[1])))  # The vectors of candidates are copies.
        candidates = _Candidates(unit, number, step) if probes is None else _Clusters(unit, number, probes)
    for target in torch.arange(size, device=unit.device).split(step):
        if candidates is None:
            cosine = (unit[target] @ unit.t()).clamp(max=1.0)
            cosine[torch.arange(len(target)), target] = -torch.inf
            weight, source = cosine.topk(min(k, size))
        else:
            near = candidates.of(target)
            cosine = torch.einsum("tf,tkf->tk", unit[target], unit[near]).clamp(max=1.0)
            weight, places = cosine.masked_fill(near == target[:, None], -torch.inf).topk(min(k, size))
            source = near.gather(1, places)
        keep = (weight > 0) & (weight >= threshold)
        parts.append((source[keep], target.unsqueeze(1).expand_as(source)[keep], weight[keep]))
    sources, targets, weights = (torch.cat(blocks) for blocks in zip(*parts, strict=True))
    return sources, targets, weights


class _Candidates:
    """The nearest labels by products in float32."""

    def __init__(self, unit: Tensor, number: int, step: int) -> None:
        padding = -len(unit) % RUN
        self.vectors = torch.nn.functional.pad(unit.float(), (0, 0, 0, padding))
        self.size, self.number = len(unit), number
        self.room = unit.new_empty(step, len(self.vectors), dtype=torch.float32)

    def of(self, target: Tensor) -> Tensor:
        """Return the candidates of some labels, (b, number), the label itself among them."""
        cosine = torch.mm(self.vectors[target], self.vectors.t(), out=self.room[: len(target)])
        cosine[:, self.size :] = -torch.inf
        runs = cosine.view(len(target), -1, RUN)
        best = runs.amax(2).topk(min(self.number, runs.shape[1])).indices
        inside = runs.gather(1, best.unsqueeze(2).expand(-1, -1, RUN)).flatten(1).topk(self.number).indices
        return best.gather(1, inside // RUN) * RUN + inside % RUN


class _Clusters:
    """The nearest labels in the nearest of 4 sqrt(C) clusters, by an inverted file of FAISS."""

    def __init__(self, unit: Tensor, number: int, probes: int) -> None:
        faiss = import_faiss()
        self.vectors, self.number = unit.float().cpu().numpy(), number
        size, channels = self.vectors.shape
        clusters = min(round(4 * size**0.5), max(1, size // ITEMS_PER_CLUSTER))
        self.index = faiss.index_factory(channels, f"IVF{clusters},Flat", faiss.METRIC_INNER_PRODUCT)
        self.index.train(self.vectors)
        self.index.add(self.vectors)
        self.index.nprobe = min(probes, clusters)

    def of(self, target: Tensor) -> Tensor:
        """Return the candidates of some labels, (b, number); the label itself stands for each that is missing."""
        near = torch.from_numpy(self.index.search(self.vectors[target.cpu().numpy()], self.number)[1]).to(target.device)
        return torch.where(near < 0, target[:, None], near)
