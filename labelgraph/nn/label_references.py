"""References of labels: directions in the hidden space for labels that have few training items, or none."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from labelgraph._core.multi_hot import item_labels, label_sums
from labelgraph._core.names import SIDES
from labelgraph._core.similarity import unit_length

if TYPE_CHECKING:
    from torch_geometric.data import Data


EDGES = 2**18  # Number of edges whose vectors are in memory at a time.


class LabelReferences(nn.Module):
    r"""Scores of labels by their references, added to the scores of a classifier for labels with few training items.

    A classifier learns a label with one or two items poorly. The reference of a label is a direction in the hidden
    space that needs no training of its own: the mean hidden units :math:`P_c` of its items, the hidden units
    :math:`N_c` of its name as a text, and the same of the labels with similar names. With unit vectors
    :math:`u(\cdot)`, the graph of meaning :math:`A` and the number of training items :math:`n_c`,

    .. math::
        r_c = u\Bigl(P_c + N_c + \sum_j A_{jc} (P_j + N_j)\Bigr), \qquad
        s_c(h) = \gamma \frac{k}{k + n_c} \bigl(\cos(h, r_c) - \mu_c - 2 \sigma_c\bigr),

    where :math:`\mu_c` and :math:`\sigma_c` are mean and deviation of the cosine over the training items, so that only
    few items gain. The weight falls with the number of items, so common labels keep the scores of the classifier.
    Classifiers that borrow from similar labels are known from extreme classification (ECLARE,
    doi:10.1145/3442381.3449815).

    With ``shrinkage``, :math:`P_c` and :math:`N_c` are whitened first: :math:`(\Sigma + \lambda \bar\sigma^2 I)^{-1}
    (P_c - \mu)`, with mean :math:`\mu` and covariance :math:`\Sigma` of the unit vectors of the training items and the
    mean :math:`\bar\sigma^2` of their variances. These are the directions of linear discriminant analysis with a
    shrunk covariance. What all items have in common no longer counts.

    Args:
        num_labels: Number of labels :math:`C`.
        channels: Width of the hidden space :math:`H`.
        strength: Weight :math:`\gamma` of the scores for a label without items.
        num_items: Number of items :math:`k` at which the weight has fallen to one half.
        neighbour_items: Number of items :math:`m` as which the sum over neighbours counts: it has the factor
            :math:`m / (m + n_c)`. By default, the factor is 1. Of many labels, neighbours often occur together, and
            a label with a few items needs to be told from them.
        shrinkage: Shrinkage :math:`\lambda` of the covariance. By default, directions are not whitened.

    Shapes:
        - **input:** hidden units :math:`(B, H)`.
        - **output:** scores :math:`(B, C)`, which are 0 before `fit`; or of some labels :math:`(B, K)`.

    Example:
        >>> import torch
        >>> from labelgraph.nn import LabelReferences
        >>> references = LabelReferences(num_labels=2, channels=3)
        >>> hidden, labels = torch.eye(3), torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> references.fit([("image", hidden, labels)])("image", hidden).argmax(1)
        tensor([0, 0, 1])
    """

    directions: Tensor
    weights: Tensor
    offsets: Tensor

    def __init__(
        self,
        num_labels: int,
        channels: int,
        strength: float = 20.0,
        num_items: float = 5.0,
        neighbour_items: float | None = None,
        shrinkage: float | None = None,
    ) -> None:
        super().__init__()
        self.strength, self.num_items, self.neighbour_items = strength, num_items, neighbour_items
        self.shrinkage = shrinkage
        self.register_buffer("directions", torch.zeros(num_labels, channels))
        self.register_buffer("weights", torch.zeros(num_labels))
        self.register_buffer("offsets", torch.zeros(num_labels, len(SIDES)))

    def fit(
        self,
        batches: Iterable[tuple[str, Tensor, Tensor]],
        names: Tensor | None = None,
        graph: Data | None = None,
    ) -> LabelReferences:
        """Set the references from training items.

        Args:
            batches: For batches of images or texts: the side, hidden units (B, H), and labels (B, C), dense or CSR.
            names: Hidden units of the label names as texts, (C, H). Rows of zeros are names without a known word.
            graph: Graph of meaning over the labels, see `meaning_graph`. Its edge weights lead to the target of an
                edge, and weights of one target that sum to more than 1 are scaled down to 1.
        """
        # Sums and counts of many items need at least float32, whatever the precision of the model.
        sums = torch.zeros_like(self.directions, dtype=torch.promote_types(self.directions.dtype, torch.float32))
        moments, counts = {side: _Moments(sums) for side in SIDES}, sums.new_zeros(len(SIDES), len(sums))
        for side, hidden, given in batches:
            labels = given.to(sums.dtype)
            unit = unit_length(hidden.to(sums))
            moments[side].add(unit)
            counts[SIDES.index(side)] += label_sums(labels).to(sums)
            if labels.layout == torch.strided:
                sums += labels.to(sums.device).t() @ unit
            else:
                item, label = (each.to(sums.device) for each in item_labels(labels))
                sums.index_add_(0, label, unit[item])
        means = self._means(sums, counts.sum(0), moments.values())
        own = means if names is None else means + self._means(names.to(sums), None, moments.values())
        if graph is not None:
            own = own + _from_neighbours(own, graph) * self._share(counts.amax(0)).unsqueeze(1)
        self.directions.copy_(unit_length(own))
        # A label without a reference, such as one without items and neighbours, keeps the classifier alone.
        has = self.directions.any(1)
        # The share of a label without items is exactly 1, see `unseen`.
        self.weights.copy_(self.strength * has * (self.num_items / (self.num_items + counts.amax(0))))
        directions = self.directions.to(sums)
        self.offsets.copy_(torch.stack([moments[side].threshold(directions) for side in SIDES], 1))
        return self

    def _means(self, sums: Tensor, counts: Tensor | None, moments: Collection[_Moments]) -> Tensor:
        """Return the directions of sums of unit vectors or, without counts, of single vectors; whitened if wanted."""
        if self.shrinkage is None:
            return unit_length(sums)
        mean, covariance = _Moments.of_all(moments)
        known = sums.any(1, keepdim=True)
        centred = (unit_length(sums) if counts is None else sums / counts.clamp(min=1).unsqueeze(1)) - mean * known
        spread = covariance.diagonal().mean().clamp(min=torch.finfo(sums.dtype).eps)
        covariance.diagonal().add_(self.shrinkage * spread)
        return unit_length(torch.linalg.solve(covariance, centred.t()).t())

    def _share(self, counts: Tensor) -> Tensor:
        if self.neighbour_items is None:
            return torch.ones_like(counts)
        return self.neighbour_items / (self.neighbour_items + counts)

    @property
    def unseen(self) -> Tensor:
        """Labels without training items that have a reference, as a mask of shape (C,)."""
        return (self.weights > 0) & (self.weights >= self.strength)

    def forward(self, side: str, hidden: Tensor, labels: Tensor | slice = slice(None)) -> Tensor:
        """Score all labels, or some of them, for hidden units of images or texts."""
        cosine = unit_length(hidden) @ self.directions[labels].t()
        return self.weights[labels] * (cosine - self.offsets[labels, SIDES.index(side)])


class _Moments:
    """First and second moments of unit vectors, from which those of any cosine follow."""

    def __init__(self, like: Tensor) -> None:
        width = like.shape[1]
        self.total, self.products, self.size = like.new_zeros(width), like.new_zeros(width, width), 0

    def add(self, unit: Tensor) -> None:
        self.total += unit.sum(0)
        self.products.addmm_(unit.t(), unit)
        self.size += len(unit)

    @staticmethod
    def of_all(moments: Collection[_Moments]) -> tuple[Tensor, Tensor]:
        """Return mean and covariance of the vectors of all sides."""
        size = max(sum(each.size for each in moments), 1)
        mean = torch.stack([each.total for each in moments]).sum(0) / size
        return mean, torch.stack([each.products for each in moments]).sum(0) / size - mean.outer(mean)

    def threshold(self, directions: Tensor) -> Tensor:
        """Return mean plus two standard deviations of the cosine with each direction, (C,)."""
        size = max(self.size, 1)
        mean = directions @ self.total / size
        square = ((directions @ self.products) * directions).sum(1) / size
        return mean + 2 * (square - mean.square()).clamp(min=0).sqrt()


def _from_neighbours(own: Tensor, graph: Data) -> Tensor:
    """Return the weighted sum of the rows of the sources of each label's edges."""
    (source, target), weight = graph.edge_index.to(own.device), graph.edge_weight.to(own)
    total = own.new_zeros(len(own)).index_add_(0, target, weight).clamp(min=1)
    sums, share = torch.zeros_like(own), (weight / total[target]).unsqueeze(1)
    for edges in torch.arange(len(source), device=own.device).split(EDGES):  # Their vectors are copies.
        sums.index_add_(0, target[edges], own[source[edges]] * share[edges])
    return sums
