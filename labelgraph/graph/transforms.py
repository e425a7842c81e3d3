"""Transforms of label graphs, from PyG `Data` to PyG `Data`, which compose like the transforms of PyG."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform
from torch_geometric.utils import cumsum, degree

from labelgraph._core.checked_config import check_value
from labelgraph.graph.edges import add_edges, checked, keep_edges


def _drop_loops(data: Data) -> Data:
    return keep_edges(data, data.edge_index[0] != data.edge_index[1])


def _add_loops(data: Data, weight: float) -> Data:
    """Add a self-loop to every label; edge counts are removed, since self-loops have no count."""
    loop = torch.arange(data.num_nodes, device=data.edge_index.device)
    return add_edges(data, loop.expand(2, -1), data.edge_weight.new_full((data.num_nodes,), weight))


def check_share(name: str, value: Any) -> float:
    """Return a number of any type in [0, 1] as a float.

    Raises:
        ValueError: If the value is not a number in [0, 1].
    """
    share = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    if not 0 <= share <= 1:
        raise ValueError(f"'{name}' must be in [0, 1] (got {value!r})")
    return share


class Threshold(BaseTransform):
    """Keep the edges whose weight is at least ``threshold``.

    Args:
        threshold: Smallest weight of a kept edge, in [0, 1].

    Example:
        >>> from labelgraph.graph import Threshold, cooccurrence_graph
        >>> graph = cooccurrence_graph([[1, 1], [1, 0], [1, 0]])
        >>> Threshold(0.5)(graph).edge_weight.tolist()
        [1.0]
    """

    def __init__(self, threshold: float = 0.4) -> None:
        self.threshold = check_share("threshold", threshold)

    def forward(self, data: Data) -> Data:
        """Remove edges with a weight below the threshold."""
        data = checked(data)
        return keep_edges(data, data.edge_weight >= self.threshold)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.threshold})"


class Binarize(BaseTransform):
    """Set the weights of all edges to the same value.

    Args:
        value: Weight of every edge.
    """

    def __init__(self, value: float = 1.0) -> None:
        self.value = check_value("value", value, float)

    def forward(self, data: Data) -> Data:
        """Set all edge weights to ``value``."""
        data = checked(data)
        data.edge_weight = torch.full_like(data.edge_weight, self.value)
        return data

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value})"


class BinaryAdjacency(BaseTransform):
    r"""Build the binary static adjacency matrix of the ALGCN and DAGNN family of methods.

    .. math:: A = 0.5 \cdot \mathbb{1}[w_{ij} \ge \tau] + I

    Args:
        threshold: :math:`\tau`, in [0, 1].
        value: Weight of a kept edge.
        counted_diagonal: Reproduce a published count file with label counts on its diagonal: self-loops get the
            weight 1 + ``value``.
        keep_candidates: Keep the edges below the threshold, with the weight 0, as candidates of `EdgeAdjacency`.

    Example:
        >>> from labelgraph.graph import BinaryAdjacency, cooccurrence_graph
        >>> graph = BinaryAdjacency(0.5)(cooccurrence_graph([[1, 1], [1, 0], [1, 0]]))
        >>> list(zip(graph.edge_index.T.tolist(), graph.edge_weight.tolist()))
        [([0, 1], 0.5), ([0, 0], 1.0), ([1, 1], 1.0)]
    """

    def __init__(
        self,
        threshold: float = 0.4,
        value: float = 0.5,
        counted_diagonal: bool = False,
        keep_candidates: bool = False,
    ) -> None:
        self.threshold = Threshold(threshold)
        self.binarize = Binarize(value)
        self.loop_weight = 1.0 + self.binarize.value if counted_diagonal else 1.0
        self.keep_candidates = keep_candidates

    def forward(self, data: Data) -> Data:
        """Threshold, binarise, and add self-loops."""
        data = _drop_loops(checked(data))
        if self.keep_candidates:
            heavy = data.edge_weight >= self.threshold.threshold
            data.edge_weight = self.binarize.value * heavy.to(data.edge_weight.dtype)
        else:
            data = self.binarize(self.threshold(data))
        return _add_loops(data, self.loop_weight)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.threshold.threshold}, {self.binarize.value})"


class Reweight(BaseTransform):
    r"""Split the weight of each label between its neighbours and itself (ML-GCN, Chen et al. 2019, eq. 8).

    .. math:: A_{ij} = p / |\{j : i \to j\}| \;\; (i \ne j), \qquad A_{ii} = 1 - p

    Args:
        p: Weight that is divided equally among the neighbours, in [0, 1].
    """

    def __init__(self, p: float = 0.2) -> None:
        self.p = check_share("p", p)

    def forward(self, data: Data) -> Data:
        """Reweight the edges and add self-loops."""
        data = _drop_loops(checked(data))
        source = data.edge_index[0].long()
        neighbours = degree(source, data.num_nodes, dtype=data.edge_weight.dtype)
        data.edge_weight = self.p / neighbours[source]
        return _add_loops(data, 1.0 - self.p)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.p})"


class KNN(BaseTransform):
    """Keep the ``k`` heaviest edges into each label; among equal weights, the lower source comes first.

    Args:
        k: Number of incoming edges kept for each label, at least 1.
    """

    def __init__(self, k: int = 5) -> None:
        self.k = check_value("k", k, int)
        if self.k < 1:
            raise ValueError(f"'k' must be at least 1 (got {k})")

    def forward(self, data: Data) -> Data:
        """Remove all edges except the heaviest edges into each label."""
        data = checked(data)
        source, target = data.edge_index.long()
        by_source = source.argsort(stable=True)
        by_weight = by_source[data.edge_weight[by_source].argsort(descending=True, stable=True)]
        order = by_weight[target[by_weight].argsort(stable=True)]
        start = cumsum(degree(target, data.num_nodes, dtype=torch.long))
        rank = torch.arange(order.numel(), device=order.device) - start[target[order]]
        return keep_edges(data, order[rank < self.k].sort().values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.k})"


class PMI(BaseTransform):
    r"""Weigh edges by pointwise mutual information, and keep the positive ones.

    .. math:: w_{ij} = \log \frac{M_{ij} N}{n_i n_j}

    (Church and Hanks 1990, in nats.) The transform needs the counts that `cooccurrence_graph` stores. Edges between
    labels that never occur together are removed.

    Args:
        positive: Keep only the edges with a positive weight.
    """

    def __init__(self, positive: bool = True) -> None:
        self.positive = positive

    def forward(self, data: Data) -> Data:
        """Compute the weights and remove edges without a finite or, if ``positive``, positive weight."""
        data = checked(data, ("edge_count", "count", "num_samples"))
        source, target = data.edge_index.long()
        # In float64, products of counts are exact, so that independent labels have the weight 0 and no edge.
        together, count = data.edge_count.double(), data.count.double()
        smaller = torch.minimum(count[source], count[target])
        bounds = (("count", "edge_count", together > smaller), ("num_samples", "count", count > data.num_samples))
        for key, part, wrong in bounds:
            if wrong.any():
                raise ValueError(f"{key!r} of 'data' must be at least {part!r} (got less); counts may have been lost")
        data.edge_weight = (
            (together * float(data.num_samples) / (count[source] * count[target])).log().to(data.edge_weight.dtype)
        )
        return keep_edges(data, data.edge_weight > 0 if self.positive else together > 0)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(positive={self.positive})"
