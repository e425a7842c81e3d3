"""AGAH: adaptive graph attention hashing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labelgraph._core.ranks import rows_of_all
from labelgraph.losses import similarity_loss
from labelgraph.methods.base import Method
from labelgraph.methods.configs import AGAHConfig
from labelgraph.nn import (
    AttentionAdjacency,
    HashNetwork,
    ItemBranch,
    ResidualAdjacency,
    fused_similarity,
    occurring_columns,
)
from labelgraph.nn.hash_layers import sign

if TYPE_CHECKING:
    from torch_geometric.data import Data


class AGAH(Method):
    r"""Adaptive Graph Attention Hashing for Unsupervised Cross-modal Retrieval via Multimodal Transformers.

    Hash networks learn codes whose similarity follows the similarity of the features. A graph branch over the items
    of a batch guides the networks in training (APWeb-WAIM 2023). The method does not read labels. :math:`b` are the
    relaxed codes of the hash networks, :math:`g` the relaxed codes of the graph branches, and :math:`S` is the
    similarity of `fused_similarity`:

    .. math::
        L = \delta L_{intra}(b, b, S) + \epsilon \, (L_{inter}(b_v, b_t, S) + L_{graph}(g_v, g_t, S)) +
        \phi L_{cross}(g_v, b, S)

    Args:
        image_hash: Image features (B, D_v) to (B, bits).
        text_hash: Text features (B, D_t) to (B, bits).
        image_branch: Image features and similarity (B, B) to (B, bits).
        text_branch: Text features and similarity (B, B) to (B, bits).
        config: Settings of the method, such as the weights of the similarity and of the losses.

    Example:
        >>> import torch
        >>> from labelgraph.methods import AGAH, AGAHConfig
        >>> model = AGAH.from_config(AGAHConfig(bits=16, hidden_channels=8, graph_channels=(8, 8)), 6, 5)
        >>> outputs = model(torch.rand(3, 6), torch.rand(3, 5))
        >>> sorted(model.loss_terms(outputs, torch.empty(3, 0)))
        ['cross', 'graph', 'inter', 'intra']
        >>> model.encode_image(torch.rand(3, 6)).unique().tolist()
        [-1.0, 1.0]
    """

    name: ClassVar[str] = "agah"
    Config: ClassVar[type] = AGAHConfig
    reads_labels: ClassVar[bool] = False
    takes_sparse_text = True
    similarity: str = "hamming"
    shared_outputs = ("image_graph_code", "text_graph_code", "similarity")

    def __init__(
        self,
        image_hash: nn.Module,
        text_hash: nn.Module,
        image_branch: nn.Module,
        text_branch: nn.Module,
        config: AGAHConfig,
    ) -> None:
        super().__init__()
        self.image_hash = image_hash
        self.text_hash = text_hash
        self.image_branch = image_branch
        self.text_branch = text_branch
        self.config = config
        self.tanh_scale = 1.0

    @classmethod
    def parts(
        cls, config: AGAHConfig, image_channels: int, text_channels: int, graph: Data | None
    ) -> dict[str, nn.Module]:
        """Build the published parts. The label graph is ignored."""
        return {
            "image_hash": HashNetwork(image_channels, config.hidden_channels, config.bits),
            "text_hash": HashNetwork(text_channels, config.hidden_channels, config.bits),
            "image_branch": _item_branch(config, image_channels),
            "text_branch": _item_branch(config, text_channels),
        }

    def on_epoch(self, epoch: int) -> None:
        """Set the scale of tanh to sqrt(epoch + 1), so that the relaxed codes approach the sign."""
        self.tanh_scale = math.sqrt(epoch + 1)

    def encode_image(self, image: Tensor) -> Tensor:
        """Encode image features (B, D_v) as codes of -1 and 1, shape (B, bits)."""
        return sign(self.image_hash(image))

    def encode_text(self, text: Tensor) -> Tensor:
        """Encode text features (B, D_t) as codes of -1 and 1, shape (B, bits)."""
        return sign(self.text_hash(text))

    def forward(self, image: Tensor, text: Tensor) -> dict[str, Tensor]:
        """Compute the relaxed codes of the hash networks and of the graph branches, and the similarity of the batch.

        If several devices share a batch, the graph branches compute the whole batch on each device.
        """
        config = self.config
        all_images, all_texts = rows_of_all(image, text)
        # Words that are in no text of the batch do not change the similarity, so their columns are dropped.
        words = all_texts if all_texts.layout == torch.strided else occurring_columns(all_texts)[1]
        similarity = fused_similarity(
            all_images,
            words,
            image_weight=config.image_weight,
            text_weight=config.text_weight,
            cross_weight=config.cross_weight,
            scale=config.similarity_scale,
        )
        hashed = {
            "image_code": self.image_hash(image),
            "text_code": self.text_hash(text),
            "image_graph_code": self.image_branch(all_images, similarity),
            "text_graph_code": self.text_branch(all_texts, similarity),
        }
        return {**{name: (self.tanh_scale * h).tanh() for name, h in hashed.items()}, "similarity": similarity}

    def loss_terms(self, outputs: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Compute the losses by name, as scalars without weights. ``labels`` are ignored."""
        image, text = outputs["image_code"], outputs["text_code"]
        graph, similarity = outputs["image_graph_code"], outputs["similarity"]
        between = similarity_loss(image, text, similarity) + similarity_loss(text, image, similarity)
        return {
            "intra": similarity_loss(image, image, similarity) + similarity_loss(text, text, similarity),
            "inter": between - F.cosine_similarity(image, text).mean(),
            "graph": similarity_loss(graph, outputs["text_graph_code"], similarity),
            "cross": similarity_loss(graph, image, similarity) + similarity_loss(graph, text, similarity),
        }

    def loss_weights(self) -> dict[str, float]:
        """Return the weight of each loss term."""
        config = self.config
        return {"intra": config.delta, "inter": config.epsilon, "graph": config.epsilon, "cross": config.phi}


def _item_branch(config: AGAHConfig, channels: int) -> ItemBranch:
    kinds = {
        "attention": lambda: AttentionAdjacency(channels, config.attention_channels),
        "residual": lambda: ResidualAdjacency(config.num_items, config.gamma),
    }
    if config.adjacency not in kinds:
        raise ValueError(f"'adjacency' must be one of {', '.join(kinds)} (got {config.adjacency!r})")
    return ItemBranch(kinds[config.adjacency](), channels, config.graph_channels, config.bits)
