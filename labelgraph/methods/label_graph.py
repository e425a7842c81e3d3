"""The base class of the label-graph methods, with two projectors and a label branch."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch_geometric.data import Data

from labelgraph.graph import BinaryAdjacency, meaning_graph, merge_graphs
from labelgraph.graph.edges import names_of
from labelgraph.losses import classification_loss, joint_pairwise_loss
from labelgraph.methods.base import Method
from labelgraph.methods.configs import LabelGraphConfig
from labelgraph.methods.hash_heads import hash_heads, hash_terms, hash_weights
from labelgraph.nn import HashHead, LabelBranch, LabelEmbedding, LabelEncoder, Projector, cosine_scores, label_adjacency

MOST_LABELS = 10_000  # A matrix of all pairs takes 400 MB, and an adaptive adjacency has four of them in training.


class LabelGraphMethod(Method):
    """A method that projects images and texts into a common space, and scores labels in this space.

    It is meant for up to about 1,000 labels, and takes up to 10,000: the label graph is a matrix of all pairs, and each
    step scores every label. `ExpectedRelevance` takes more.

    A subclass adds its losses to the losses of the codes, and may add parts.

    Args:
        image_projector: Image features (B, D_v) to the common space (B, H).
        text_projector: Text features (B, D_t) to the common space (B, H).
        label_branch: Computes the label classifiers (C, H), and the edges of the label graph.
        config: Settings of the method.
        image_hash: Image embeddings (B, H) to relaxed codes (B, bits). With hash heads, search compares codes.
        text_hash: Text embeddings (B, H) to relaxed codes (B, bits).

    `Method.from_config` builds the published parts. Pass modules of your own to the constructor to use other parts.
    """

    batch_norm = False  # Whether the published projectors have batch normalisation.
    takes_sparse_text = True
    scores_labels = True
    shared_outputs = ("classifiers", "edge_index", "edge_weight")

    def __init__(
        self,
        image_projector: nn.Module,
        text_projector: nn.Module,
        label_branch: LabelBranch,
        config: Any,
        image_hash: HashHead | None = None,
        text_hash: HashHead | None = None,
    ) -> None:
        super().__init__()
        if (image_hash is None) != (text_hash is None):
            raise ValueError("'image_hash' and 'text_hash' must be given together (got one)")
        self.image_projector = image_projector
        self.text_projector = text_projector
        self.label_branch = label_branch
        self.config = config
        self.image_hash = image_hash
        self.text_hash = text_hash
        self.similarity = "cosine" if image_hash is None else "hamming"

    @classmethod
    def parts(cls, config: Any, image_channels: int, text_channels: int, graph: Data | None) -> dict[str, nn.Module]:
        """Build the published parts."""
        if graph is None:
            raise ValueError(f"'graph' must be a label graph for {cls.name!r} (got none)")
        if (num_labels := int(graph.num_nodes or 0)) > MOST_LABELS:
            raise ValueError(
                f"'graph' must have at most {MOST_LABELS:,} labels for {cls.name!r}, which scores every label in each "
                f"step and has a weight for each pair of labels (got {num_labels:,}); use 'expected-relevance'"
            )
        return {
            "image_projector": Projector(image_channels, config.hidden_channels, cls.batch_norm),
            "text_projector": Projector(text_channels, config.hidden_channels, cls.batch_norm),
            "label_branch": _label_branch(config, graph),
            **hash_heads(config, config.hidden_channels),
        }

    def encode_image(self, image: Tensor) -> Tensor:
        """Encode image features (B, D_v) as embeddings (B, H), or with hash heads as codes of -1 and 1, (B, bits)."""
        embedding: Tensor = self.image_projector(image)
        return embedding if self.image_hash is None else self.image_hash.codes(embedding)

    def encode_text(self, text: Tensor) -> Tensor:
        """Encode text features (B, D_t) as embeddings (B, H), or with hash heads as codes of -1 and 1, (B, bits)."""
        embedding: Tensor = self.text_projector(text)
        return embedding if self.text_hash is None else self.text_hash.codes(embedding)

    def label_scores(self, side: str, features: Tensor) -> Tensor:
        """Compute the cosines of embeddings and classifiers, shape (B, C). They are trained to predict the labels."""
        project = self.image_projector if side == "image" else self.text_projector
        return cosine_scores(project(features), self.label_branch()[0])

    def label_queries(self) -> Tensor | None:
        """Return the label classifiers (C, H) in the space of the embeddings, or their codes with hash heads."""
        classifiers: Tensor = self.label_branch()[0]
        return classifiers if self.text_hash is None else self.text_hash.codes(classifiers)

    def on_epoch(self, epoch: int) -> None:
        """Set the epoch of the hash heads."""
        for head in (self.image_hash, self.text_hash):
            if head is not None:
                head.on_epoch(epoch)

    def forward(self, image: Tensor, text: Tensor) -> dict[str, Tensor]:
        """Embed a batch of pairs, and score every label for images and texts."""
        classifiers, edge_index, edge_weight = self.label_branch()
        image, text = self.image_projector(image), self.text_projector(text)
        outputs = {
            "image_embedding": image,
            "text_embedding": text,
            "image_scores": cosine_scores(image, classifiers),
            "text_scores": cosine_scores(text, classifiers),
            "classifiers": classifiers,
            "edge_index": edge_index,
            "edge_weight": edge_weight,
        }
        if self.image_hash is not None and self.text_hash is not None:
            outputs |= {"image_code": self.image_hash(image), "text_code": self.text_hash(text)}
        return outputs

    def loss_terms(self, outputs: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Compute the losses of the codes, if the method has hash heads. A subclass adds its own losses."""
        return hash_terms(outputs, labels)

    def loss_weights(self) -> dict[str, float]:
        """Return the weight of each loss term."""
        return hash_weights(self.config)

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """Return the parameters with the base learning rate, and a learned residual with its scaled rate."""
        fast = [p for n, p in self.named_parameters() if n.endswith("adjacency.residual")]
        return self._groups(lr, {self.config.residual_lr_scale: fast})


def _label_branch(config: LabelGraphConfig, graph: Data) -> LabelBranch:
    """Build the label branch according to the settings."""
    binary = BinaryAdjacency(config.threshold)(_edges(config, graph))
    embedding = LabelEmbedding(graph, config.label_embedding, config.embedding_channels, config.trainable_embedding)
    adjacency = label_adjacency(
        config.adjacency,
        binary,
        embedding.weight.detach(),
        gamma=config.gamma,
        num_heads=config.metric_heads,
        threshold=config.threshold,
    )
    encoder = LabelEncoder(
        embedding.channels, config.hidden_channels, config.num_layers, conv=config.conv, zero_hop=config.zero_hop
    )
    return LabelBranch(embedding, adjacency, encoder)


def _edges(config: LabelGraphConfig, graph: Data) -> Data:
    """Return the label graph with the edges that the settings ask for."""
    if config.edges == "cooccurrence":
        return graph
    if graph.get("x") is None:
        raise ValueError(f"'graph' must have vectors of the label names 'x' for edges={config.edges!r} (got none)")
    alike = meaning_graph(names_of(graph), graph.x, config.num_neighbors)
    return alike if config.edges == "meaning" else merge_graphs(graph, alike)


def classification_terms(outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
    """Sum the classification losses of images and texts."""
    return classification_loss(outputs["image_scores"], labels) + classification_loss(outputs["text_scores"], labels)


def pairwise_terms(outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
    """Sum the pairwise losses within and between images and texts."""
    return joint_pairwise_loss(outputs["image_embedding"], outputs["text_embedding"], labels)
