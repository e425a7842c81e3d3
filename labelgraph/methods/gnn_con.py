"""P-GNN-CON and I-GNN-CON: dual adversarial graph neural networks with contrastive learning."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from labelgraph.losses import contrastive_loss
from labelgraph.methods.configs import IGNNCONConfig, PGNNCONConfig
from labelgraph.methods.dagnn import DualAdversarialMethod, adversarial_terms
from labelgraph.methods.label_graph import classification_terms


class PGNNCON(DualAdversarialMethod):
    r"""Qian, Xue, Fang, Xu: Integrating Multi-Label Contrastive Learning with Dual Adversarial Graph Neural Networks.

    This is DAGNN with batch normalisation. A contrastive loss between items with shared labels and items without
    shared labels replaces the pairwise loss (IEEE TPAMI 2022, doi:10.1109/TPAMI.2022.3188547):

    .. math:: L = \alpha L_{classification} + L_{contrastive} + \beta L_{adversarial}

    This is the "probabilistic" variant: its label graph is static, from the counts of the training items. The parts are
    the parts of `DualAdversarialMethod`.

    Example:
        >>> import torch
        >>> from labelgraph.graph import cooccurrence_graph
        >>> from labelgraph.methods import PGNNCON, PGNNCONConfig
        >>> labels = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        >>> model = PGNNCON.from_config(PGNNCONConfig(hidden_channels=8), 32, 16, cooccurrence_graph(labels))
        >>> outputs = model(torch.rand(2, 32), torch.rand(2, 16))
        >>> sorted(model.loss_terms(outputs, labels))
        ['adversarial', 'classification', 'contrastive']
    """

    name: ClassVar[str] = "p-gnn-con"
    Config: ClassVar[type] = PGNNCONConfig
    batch_norm = True

    def batch_terms(self, outputs: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Compute the losses by name; see `LabelGraphMethod.batch_terms`."""
        image, text = outputs["image_embedding"], outputs["text_embedding"]
        return {
            **super().batch_terms(outputs, labels),
            "classification": classification_terms(outputs, labels),
            "contrastive": contrastive_loss(image, text, labels, self.config.temperature, self.config.intra_weight),
            "adversarial": adversarial_terms(outputs),
        }

    def loss_weights(self) -> dict[str, float]:
        """Return the weight of each loss term."""
        return {
            **super().loss_weights(),
            "classification": self.config.alpha,
            "contrastive": 1.0,
            "adversarial": self.config.beta,
        }


class IGNNCON(PGNNCON):
    """I-GNN-CON, the "iterative" variant of `PGNNCON`, which learns the label graph and the label embeddings.

    (IEEE TPAMI 2022, doi:10.1109/TPAMI.2022.3188547; see `MetricAdjacency`.)

    Example:
        >>> import torch
        >>> from labelgraph.graph import cooccurrence_graph
        >>> from labelgraph.methods import IGNNCON, IGNNCONConfig
        >>> labels = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        >>> model = IGNNCON.from_config(IGNNCONConfig(hidden_channels=8), 32, 16, cooccurrence_graph(labels))
        >>> model.label_branch.embedding.weight.requires_grad
        True
    """

    name: ClassVar[str] = "i-gnn-con"
    Config: ClassVar[type] = IGNNCONConfig
