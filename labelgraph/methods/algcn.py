"""ALGCN: adaptive label-aware graph convolutional networks."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from labelgraph.losses import draw_negatives, structure_loss
from labelgraph.methods.configs import ALGCNConfig
from labelgraph.methods.label_graph import LabelGraphMethod, classification_terms, pairwise_terms
from labelgraph.nn import AdaptiveAdjacency, EdgeAdjacency


class ALGCN(LabelGraphMethod):
    r"""Qian, Xue, Fang, Xu: Adaptive Label-aware Graph Convolutional Networks for Cross-Modal Retrieval.

    Images and texts are projected into one space. A label graph with learned edges gives a classifier for each label.
    The cosine of an item and a classifier is trained to predict the label (IEEE TMM 2021,
    doi:10.1109/TMM.2021.3101642):

    .. math:: L = L_{classification} + \alpha L_{pairwise} + 0.5 L_{structure}

    The parts are the parts of `LabelGraphMethod`.

    Example:
        >>> import torch
        >>> from labelgraph.graph import cooccurrence_graph
        >>> from labelgraph.methods import ALGCN, ALGCNConfig
        >>> labels = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        >>> model = ALGCN.from_config(ALGCNConfig(hidden_channels=8), 6, 5, cooccurrence_graph(labels))
        >>> outputs = model(torch.rand(2, 6), torch.rand(2, 5))
        >>> outputs["image_scores"].shape
        torch.Size([2, 3])
        >>> sorted(model.loss_terms(outputs, labels))
        ['classification', 'pairwise', 'structure']
    """

    name: ClassVar[str] = "algcn"
    Config: ClassVar[type] = ALGCNConfig

    def batch_terms(self, outputs: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Compute the losses by name; see `LabelGraphMethod.batch_terms`."""
        terms = {
            **super().batch_terms(outputs, labels),
            "classification": classification_terms(outputs, labels),
            "pairwise": pairwise_terms(outputs, labels),
        }
        if (entries := self._structure(outputs)) is not None:
            propagation, static = entries
            rate = self.config.negative_rate if self.training else 0.0
            terms["structure"] = structure_loss(
                propagation, static, draw_negatives(self.config.num_layers, rate, static)
            )
        return terms

    def _structure(self, outputs: dict[str, Tensor]) -> tuple[Tensor, Tensor] | None:
        """Return the learned propagation matrix and the static matrix, or the entries of the sampled edges."""
        adjacency = self.label_branch.adjacency
        if isinstance(adjacency, AdaptiveAdjacency):
            # The edges join all pairs of labels, sorted by source.
            return outputs["edge_weight"].view_as(adjacency.static).t(), adjacency.static
        if isinstance(adjacency, EdgeAdjacency):
            # An edge i -> j is the entry (j, i) of the propagation matrix.
            return outputs["edge_weight"], adjacency.reverse[outputs["edges"]]
        return None

    def loss_weights(self) -> dict[str, float]:
        """Return the weight of each loss term."""
        return {
            **super().loss_weights(),
            "classification": 1.0,
            "pairwise": self.config.alpha,
            "structure": self.config.structure_weight,
        }
