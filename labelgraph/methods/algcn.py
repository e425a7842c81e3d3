"""ALGCN: adaptive label-aware graph convolutional networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn
from torch_geometric.data import Data

from labelgraph.graph import BinaryAdjacency
from labelgraph.losses import classification_loss, pairwise_loss, structure_loss
from labelgraph.losses.structure import draw_negatives
from labelgraph.methods.base import Method
from labelgraph.nn import (
    AdaptiveAdjacency,
    LabelBranch,
    LabelEmbedding,
    LabelEncoder,
    Projector,
    StaticAdjacency,
    cosine_scores,
    dense_adjacency,
)


@dataclass(frozen=True)
class ALGCNConfig:
    """Hyper-parameters of `ALGCN`, as published where not said otherwise.

    Args:
        hidden_channels: Width of the common space.
        num_layers: Hops over the label graph; 0 uses no graph.
        adjacency: ``"adaptive"`` or ``"static"``.
        threshold: Least conditional probability of an edge.
        gamma: Weight of the learned residual.
        label_embedding: ``"pmi-svd"`` (published: ``"learned"``), ``"one-hot"`` or ``"given"``.
        embedding_channels: Size of the label embeddings, where there is a choice.
        alpha: Weight of the pairwise loss.
        structure_weight: Weight of the structure loss.
        negative_rate: Share of random edges in the structure loss.
        residual_lr_scale: Learning rate of the residual, in base learning rates.
    """

    hidden_channels: int = 1024
    num_layers: int = 3
    adjacency: str = "adaptive"
    threshold: float = 0.4
    gamma: float = 0.5
    label_embedding: str = "pmi-svd"
    embedding_channels: int | None = None
    alpha: float = 0.2
    structure_weight: float = 0.5
    negative_rate: float = 0.2
    residual_lr_scale: float = 100.0


class ALGCN(Method):
    r"""Qian, Xue, Fang, Xu: Adaptive Label-aware Graph Convolutional Networks for Cross-Modal Retrieval.

    Images and texts are projected into one space; classifiers for it come from a label graph whose
    edges are learned; both are trained so that cosines with the classifiers are the labels
    (IEEE TMM 2021, doi:10.1109/TMM.2021.3101642):

    .. math:: L = L_{classification} + \alpha L_{pairwise} + 0.5 L_{structure}

    Args:
        image_projector: Image features (B, D_v) to the common space (B, H).
        text_projector: Text features (B, D_t) to the common space (B, H).
        label_branch: Gives classifiers (C, H) and the edges they were made with.
        config: The weights of the losses.

    `Method.from_config` builds the published parts; give other modules for other parts.

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

    def __init__(
        self,
        image_projector: nn.Module,
        text_projector: nn.Module,
        label_branch: LabelBranch,
        config: ALGCNConfig,
    ) -> None:
        super().__init__()
        self.image_projector = image_projector
        self.text_projector = text_projector
        self.label_branch = label_branch
        self.config = config

    @classmethod
    def parts(cls, config: ALGCNConfig, image_channels: int, text_channels: int, graph: Data) -> dict[str, nn.Module]:
        """Build the published parts."""
        binary = BinaryAdjacency(config.threshold)(graph)
        adjacencies = {
            "adaptive": lambda: AdaptiveAdjacency(binary, config.gamma),
            "static": lambda: StaticAdjacency(binary),
        }
        if config.adjacency not in adjacencies:
            raise ValueError(f"'adjacency' must be one of {', '.join(adjacencies)} (got {config.adjacency!r})")
        embedding = LabelEmbedding(graph, config.label_embedding, config.embedding_channels)
        encoder = LabelEncoder(embedding.channels, config.hidden_channels, config.num_layers)
        return {
            "image_projector": Projector(image_channels, config.hidden_channels),
            "text_projector": Projector(text_channels, config.hidden_channels),
            "label_branch": LabelBranch(embedding, adjacencies[config.adjacency](), encoder),
        }

    def encode_image(self, image: Tensor) -> Tensor:
        """Image features (B, D_v) to embeddings (B, H)."""
        embedding: Tensor = self.image_projector(image)
        return embedding

    def encode_text(self, text: Tensor) -> Tensor:
        """Text features (B, D_t) to embeddings (B, H)."""
        embedding: Tensor = self.text_projector(text)
        return embedding

    def forward(self, image: Tensor, text: Tensor) -> dict[str, Tensor]:
        """Embed a batch of pairs, and score every label for both sides."""
        classifiers, edge_index, edge_weight = self.label_branch()
        image, text = self.encode_image(image), self.encode_text(text)
        return {
            "image_embedding": image,
            "text_embedding": text,
            "image_scores": cosine_scores(image, classifiers),
            "text_scores": cosine_scores(text, classifiers),
            "classifiers": classifiers,
            "edge_index": edge_index,
            "edge_weight": edge_weight,
        }

    def loss_terms(self, outputs: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """The losses by name, each a scalar without its weight."""
        image, text = outputs["image_embedding"], outputs["text_embedding"]
        terms = {
            "classification": classification_loss(outputs["image_scores"], labels)
            + classification_loss(outputs["text_scores"], labels),
            "pairwise": pairwise_loss(image, image, labels)
            + pairwise_loss(image, text, labels)
            + pairwise_loss(text, text, labels),
        }
        adjacency = self.label_branch.adjacency
        if isinstance(adjacency, AdaptiveAdjacency):
            propagation = dense_adjacency(outputs["edge_index"], outputs["edge_weight"], adjacency.num_labels).t()
            rate = self.config.negative_rate if self.training else 0.0
            draws = draw_negatives(self.config.num_layers, adjacency.num_labels, rate, adjacency.static)
            terms["structure"] = structure_loss(propagation, adjacency.static, draws)
        return terms

    def loss_weights(self) -> dict[str, float]:
        """The weight of each loss term."""
        return {
            "classification": 1.0,
            "pairwise": self.config.alpha,
            "structure": self.config.structure_weight,
        }

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """All parameters at the base learning rate, but the learned residual at its own."""
        fast = [p for n, p in self.named_parameters() if n.endswith("adjacency.residual")]
        return self._groups(lr, {self.config.residual_lr_scale: fast})
