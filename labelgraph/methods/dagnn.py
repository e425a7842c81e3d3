"""DAGNN: dual adversarial graph neural networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from labelgraph.methods.dual_adversarial import DualAdversarialConfig, DualAdversarialMethod, adversarial_terms
from labelgraph.methods.label_graph import classification_terms, pairwise_terms


@dataclass(frozen=True)
class DAGNNConfig(DualAdversarialConfig):
    """Hyper-parameters of `DAGNN` beside those of `DualAdversarialConfig`, as published.

    Args:
        alpha: Weight of the pairwise loss.
    """

    num_layers: int = 4
    alpha: float = 0.2


class DAGNN(DualAdversarialMethod):
    r"""Qian, Xue, Zhang, Fang, Xu: Dual Adversarial Graph Neural Networks for Multi-label Cross-modal Retrieval.

    Classifiers come from a static label graph over several hops; generators and discriminators bring images
    and texts together (AAAI 2021, doi:10.1609/aaai.v35i3.16345):

    .. math:: L = L_{classification} + \alpha L_{pairwise} + \beta L_{adversarial}

    Parts: those of `DualAdversarialMethod`.

    Example:
        >>> import torch
        >>> from labelgraph.graph import cooccurrence_graph
        >>> from labelgraph.methods import DAGNN, DAGNNConfig
        >>> labels = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        >>> config = DAGNNConfig(hidden_channels=8, conv="gat")
        >>> model = DAGNN.from_config(config, 32, 16, cooccurrence_graph(labels))
        >>> outputs = model(torch.rand(2, 32), torch.rand(2, 16))
        >>> sorted(model.loss_terms(outputs, labels))
        ['adversarial', 'classification', 'pairwise']
        >>> sorted(model.diagnostics(outputs))
        ['precision_image_generated', 'precision_image_real', 'precision_text_generated', 'precision_text_real']
    """

    name: ClassVar[str] = "dagnn"
    Config: ClassVar[type] = DAGNNConfig

    def loss_terms(self, outputs: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """The losses by name, each a scalar without its weight."""
        return {
            **super().loss_terms(outputs, labels),
            "classification": classification_terms(outputs, labels),
            "pairwise": pairwise_terms(outputs, labels),
            "adversarial": adversarial_terms(outputs),
        }

    def loss_weights(self) -> dict[str, float]:
        """The weight of each loss term."""
        return {
            **super().loss_weights(),
            "classification": 1.0,
            "pairwise": self.config.alpha,
            "adversarial": self.config.beta,
        }
