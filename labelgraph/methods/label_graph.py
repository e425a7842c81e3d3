"""The base class of the label-graph methods, with two projectors and a label branch."""

from __future__ import annotations

from typing import Any, Self

from torch import Tensor, nn
from torch_geometric.data import Data

from labelgraph._core.names import SIDES
from labelgraph._core.versions import Version
from labelgraph.data import DENSE_LABELS
from labelgraph.graph import KNN, BinaryAdjacency, meaning_graph, merge_graphs
from labelgraph.graph.edges import names_of
from labelgraph.losses import classification_loss, draw_labels, joint_pairwise_loss
from labelgraph.methods.base import Method
from labelgraph.methods.configs import LabelGraphConfig
from labelgraph.methods.hash_heads import hash_heads, hash_terms, hash_weights
from labelgraph.nn import (
    EdgeAdjacency,
    HashHead,
    LabelBranch,
    LabelEmbedding,
    LabelEncoder,
    Projector,
    SampledLabelBranch,
    StaticAdjacency,
    cosine_scores,
    label_adjacency,
)
from labelgraph.nn.label_encoder import values_follow

SPARSE_ADJACENCIES = ("static", "adaptive")
MOST_LABELS = 10_000  # With a matrix of all pairs of labels: another adjacency, or one-hot embeddings. It takes 400 MB.


class LabelGraphMethod(Method):
    """A method that projects images and texts into a common space, and scores labels in this space.

    With more than 1,024 labels, the label graph keeps only the ``kept_neighbors`` heaviest edges into each label, and
    an adaptive adjacency learns only their weights (`EdgeAdjacency`). A training step scores the labels of its batch,
    and random others for all of its items (`draw_labels`), whose classifiers it computes from sampled neighbours
    (`SampledLabelBranch`). That needs ``adjacency="static"`` or ``"adaptive"``, and ``conv="gcn"``; other settings
    weigh all pairs of labels or score all labels in each step, and take up to 10,000 labels.

    A subclass adds its losses to the losses of the codes in ``batch_terms``, and may add parts.

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
        self.takes_sparse_labels = isinstance(label_branch, SampledLabelBranch)

    @classmethod
    def kept_graph(cls, config: Any, graph: Data) -> Data:
        """Return the edges that the settings ask for; of many labels, only the heaviest edges into each label.

        Raises:
            ValueError: If these edges have no counts for the label embeddings.
        """
        if not _many(config, graph):
            return graph
        if config.edges == "meaning" and config.label_embedding == "pmi-svd":
            raise ValueError(
                "'label_embedding' must be 'given', 'learned' or 'one-hot' for edges='meaning' with more than "
                f"{DENSE_LABELS:,} labels (got 'pmi-svd', which needs the edges of co-occurrence)"
            )
        return KNN(config.kept_neighbors)(_edges(config, graph))

    @classmethod
    def parts(cls, config: Any, image_channels: int, text_channels: int, graph: Data | None) -> dict[str, nn.Module]:
        """Build the published parts."""
        if graph is None:
            raise ValueError(f"'graph' must be a label graph for {cls.name!r} (got none)")
        return {
            "image_projector": Projector(image_channels, config.hidden_channels, cls.batch_norm),
            "text_projector": Projector(text_channels, config.hidden_channels, cls.batch_norm),
            "label_branch": _label_branch(config, graph),
            **hash_heads(config, config.hidden_channels),
        }

    @classmethod
    def read(cls, version: Version) -> Self:
        """Read a method that `write` added to a version of a folder, in evaluation mode."""
        with values_follow():
            return super().read(version)

    def encode_image(self, image: Tensor) -> Tensor:
        """Encode image features (B, D_v) as embeddings (B, H), or with hash heads as codes of -1 and 1, (B, bits)."""
        embedding: Tensor = self.image_projector(image)
        return embedding if self.image_hash is None else self.image_hash.codes(embedding)

    def encode_text(self, text: Tensor) -> Tensor:
        """Encode text features (B, D_t) as embeddings (B, H), or with hash heads as codes of -1 and 1, (B, bits)."""
        embedding: Tensor = self.text_projector(text)
        return embedding if self.text_hash is None else self.text_hash.codes(embedding)

    def label_scores(self, side: str, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Compute the cosines of embeddings and classifiers, (B, C), or of some labels (K,), shape (B, K).

        They are trained to predict the labels.
        """
        project = self.image_projector if side == "image" else self.text_projector
        return cosine_scores(project(features), self._classifiers(labels))

    def label_queries(self, labels: Tensor | None = None) -> Tensor | None:
        """Return the label classifiers (C, H) in the space of the embeddings, or their codes with hash heads."""
        classifiers = self._classifiers(labels)
        return classifiers if self.text_hash is None else self.text_hash.codes(classifiers)

    def _classifiers(self, labels: Tensor | None = None) -> Tensor:
        branch = self.label_branch
        classifiers: Tensor = branch.classifiers() if isinstance(branch, SampledLabelBranch) else branch()[0]
        return classifiers if labels is None else classifiers[labels.to(classifiers.device)]

    def on_epoch(self, epoch: int) -> None:
        """Set the epoch of the hash heads."""
        for head in (self.image_hash, self.text_hash):
            if head is not None:
                head.on_epoch(epoch)

    def forward(self, image: Tensor, text: Tensor) -> dict[str, Tensor]:
        """Embed a batch of pairs, and score every label for images and texts; of many labels, the loss chooses some."""
        classified = {}
        if not self.takes_sparse_labels:
            names = ("classifiers", "edge_index", "edge_weight")
            classified = dict(zip(names, self.label_branch(), strict=True))
        image, text = self.image_projector(image), self.text_projector(text)
        outputs = {"image_embedding": image, "text_embedding": text, **classified}
        if classified:
            outputs |= _scores(outputs)
        if self.image_hash is not None and self.text_hash is not None:
            outputs |= {"image_code": self.image_hash(image), "text_code": self.text_hash(text)}
        return outputs

    def loss_terms(self, outputs: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Compute the losses by name, as scalars without weights."""
        if isinstance(self.label_branch, SampledLabelBranch):
            drawn = draw_labels(labels, self.config.drawn_labels)
            sampled = self.label_branch.sample(drawn.labels)._asdict()
            outputs = {**outputs, **sampled, "label_weights": drawn.weights}
            outputs, labels = outputs | _scores(outputs), drawn.targets.to(outputs["image_embedding"])
        return self.batch_terms(outputs, labels)

    def batch_terms(self, outputs: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Compute the losses of the codes, if the method has hash heads. A subclass adds its own losses.

        Args:
            outputs: The outputs of ``forward``. Of many labels, ``classifiers`` and scores of the drawn labels with
                their ``label_weights``, and the ``edge_weight`` of the sampled ``edges``.
            labels: Multi-hot labels (B, C). Of many labels, the drawn ones, (B, K): all of the batch, and others.
        """
        return hash_terms(outputs, labels)

    def loss_weights(self) -> dict[str, float]:
        """Return the weight of each loss term."""
        return hash_weights(self.config)

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """Return the parameters with the base learning rate, and a learned residual with its scaled rate."""
        fast = [p for n, p in self.named_parameters() if n.endswith("adjacency.residual")]
        return self._groups(lr, {self.config.residual_lr_scale: fast})


def _many(config: LabelGraphConfig, graph: Data) -> bool:
    """Return whether only some of the labels are scored in a training step.

    Raises:
        ValueError: If the settings need a matrix of all pairs of too many labels.
    """
    num_labels = int(graph.num_nodes or 0)
    able = config.adjacency in SPARSE_ADJACENCIES and config.conv == "gcn"
    if num_labels > MOST_LABELS and not able:
        raise ValueError(
            f"'graph' must have at most {MOST_LABELS:,} labels for adjacency={config.adjacency!r} and "
            f"conv={config.conv!r} (got {num_labels:,}); use adjacency='static' or 'adaptive' with conv='gcn', or "
            "'expected-relevance'"
        )
    if num_labels > MOST_LABELS and config.label_embedding == "one-hot":
        raise ValueError(
            f"'label_embedding' must be 'pmi-svd', 'learned' or 'given' for more than {MOST_LABELS:,} labels (got "
            f"'one-hot' for {num_labels:,} labels)"
        )
    return able and num_labels > DENSE_LABELS


def _scores(outputs: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{side}_scores": cosine_scores(outputs[f"{side}_embedding"], outputs["classifiers"]) for side in SIDES}


def _label_branch(config: LabelGraphConfig, graph: Data) -> LabelBranch:
    """Build the label branch according to the settings."""
    many = _many(config, graph)
    embedding = LabelEmbedding(
        graph, config.label_embedding, config.embedding_channels, config.trainable_embedding, sparse=many
    )
    # Before the encoder: both draw initial weights, in this order since the first measurements.
    adjacency = _sparse_adjacency(config, graph) if many else _adjacency(config, graph, embedding)
    encoder = LabelEncoder(
        embedding.channels, config.hidden_channels, config.num_layers, conv=config.conv, zero_hop=config.zero_hop
    )
    if isinstance(adjacency, StaticAdjacency | EdgeAdjacency) and many:
        return SampledLabelBranch(embedding, adjacency, encoder, config.sampled_neighbors)
    return LabelBranch(embedding, adjacency, encoder)


def _sparse_adjacency(config: LabelGraphConfig, graph: Data) -> StaticAdjacency | EdgeAdjacency:
    adaptive = config.adjacency == "adaptive"
    kept = BinaryAdjacency(config.threshold, keep_candidates=adaptive)(graph)
    return EdgeAdjacency(kept, config.gamma) if adaptive else StaticAdjacency(kept)


def _adjacency(config: LabelGraphConfig, graph: Data, embedding: LabelEmbedding) -> nn.Module:
    return label_adjacency(
        config.adjacency,
        BinaryAdjacency(config.threshold)(_edges(config, graph)),
        embedding.weight.detach(),
        gamma=config.gamma,
        num_heads=config.metric_heads,
        threshold=config.threshold,
    )


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
    weights = outputs.get("label_weights")
    losses = [classification_loss(outputs[f"{side}_scores"], labels, weights) for side in SIDES]
    return losses[0] + losses[1]


def pairwise_terms(outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
    """Sum the pairwise losses within and between images and texts."""
    return joint_pairwise_loss(outputs["image_embedding"], outputs["text_embedding"], labels)
