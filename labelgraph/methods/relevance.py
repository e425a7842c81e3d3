"""Expected relevance: label probabilities of both sides, and the probability that they share a label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.data import Data

from labelgraph.losses import relevance_loss
from labelgraph.methods.base import Method
from labelgraph.methods.hashing import hash_heads, hash_terms, hash_weights
from labelgraph.methods.label_graph import LabelGraphConfig, build_label_branch
from labelgraph.nn import Calibration, HashHead, LabelBranch, LabelSmoothing, Projector, relevance_features

SIDES = ("image", "text")
CLASSIFIERS = ("free", "graph")


@dataclass(frozen=True)
class ExpectedRelevanceConfig(LabelGraphConfig):
    """Hyper-parameters of `ExpectedRelevance`.

    Those of `LabelGraphConfig` about the label graph matter with ``classifiers="graph"`` alone.

    Args:
        hidden_channels: Width of the hidden layers.
        dropout: Share of hidden units left out in training.
        batch_norm: Normalise the features first.
        classifiers: ``"free"``, a linear layer for each side; or ``"graph"``, classifiers for both sides from the
            label graph, as the published methods have them.
        shared: Have one linear layer for both sides, where classifiers are free.
        smoothing: Share of the targets that goes to labels that occur together with those of the item.
        alpha: Weight of the relevance loss of the pairs of a batch.
        order: Powers in the features, see `relevance_features`.
        exact_at: See there.
        calibration: ``"platt"``, ``"temperature"`` or ``"none"``.
        shrinkage: Of ``platt``: how much alike its lines are.
    """

    hidden_channels: int = 1024
    dropout: float = 0.5
    batch_norm: bool = False
    classifiers: str = "free"
    shared: bool = False
    smoothing: float = 0.0
    alpha: float = 0.0
    order: int = 6
    exact_at: float | None = None
    calibration: str = "platt"
    shrinkage: float = 1.0


class GraphClassifier(nn.Module):
    r"""Label scores by classifiers of a label graph, :math:`s = h Z^\top / \sqrt{H} + b`.

    Args:
        label_branch: Gives the classifiers :math:`Z`, shape :math:`(C, H)`.
        num_labels: :math:`C`.

    Shapes:
        - **input:** hidden units :math:`(B, H)`.
        - **output:** scores :math:`(B, C)`.
    """

    def __init__(self, label_branch: LabelBranch, num_labels: int) -> None:
        super().__init__()
        self.label_branch = label_branch
        self.bias = nn.Parameter(torch.zeros(num_labels))

    def forward(self, hidden: Tensor) -> Tensor:
        """Score a batch."""
        classifiers, *_ = self.label_branch()
        return F.linear(hidden, classifiers / hidden.shape[1] ** 0.5, self.bias)


class ExpectedRelevance(Method):
    r"""Rank by the probability that two items share a label; a method of this library.

    A network with one hidden layer a side is trained by binary cross-entropy to tell the labels of its items, and
    calibrated on held-out items. If labels are independent given the items, two items share one with the
    probability :math:`1 - \prod_c (1 - p_c q_c)`. Embeddings are `relevance_features` of the probabilities, whose
    products rank by it. Codes are signs of linear maps of these features, learned beside from the labels.

    .. math:: L = L_{image} + L_{text} + \alpha L_{relevance}

    Args:
        image_projector: Image features (B, D_v) to hidden units (B, H).
        text_projector: Text features (B, D_t) to hidden units (B, H).
        image_classifier: Hidden units to label scores (B, C).
        text_classifier: The same of texts; it may be the same module.
        image_calibration: Label scores to calibrated logits (B, C).
        text_calibration: The same of texts.
        smoothing: Labels (B, C) to targets.
        config: The method's hyper-parameters.
        image_hash: Relevance features of images to relaxed codes (B, bits); with both, search is by codes.
        text_hash: The same of texts.

    Example:
        >>> import torch
        >>> from labelgraph.graph import cooccurrence_graph
        >>> from labelgraph.methods import ExpectedRelevance, ExpectedRelevanceConfig
        >>> config = ExpectedRelevanceConfig(hidden_channels=8, order=2)
        >>> model = ExpectedRelevance.from_config(config, 6, 5, cooccurrence_graph([[1, 1, 0], [0, 0, 1]]))
        >>> model.similarity, model.encode_image(torch.rand(4, 6)).shape
        ('dot', torch.Size([4, 6]))
    """

    name: ClassVar[str] = "expected-relevance"
    Config: ClassVar[type] = ExpectedRelevanceConfig
    takes_sparse_text = True
    scores_labels = True

    def __init__(
        self,
        image_projector: nn.Module,
        text_projector: nn.Module,
        image_classifier: nn.Module,
        text_classifier: nn.Module,
        image_calibration: Calibration,
        text_calibration: Calibration,
        smoothing: nn.Module,
        config: ExpectedRelevanceConfig,
        image_hash: HashHead | None = None,
        text_hash: HashHead | None = None,
    ) -> None:
        super().__init__()
        self.projectors = nn.ModuleDict({"image": image_projector, "text": text_projector})
        self.classifiers = nn.ModuleDict({"image": image_classifier, "text": text_classifier})
        self.calibrations = nn.ModuleDict({"image": image_calibration, "text": text_calibration})
        heads = {"image": image_hash, "text": text_hash}
        self.hashes = nn.ModuleDict({side: head for side, head in heads.items() if head is not None})
        if len(self.hashes) == 1:
            raise ValueError("'image_hash' and 'text_hash' must be given together (got one)")
        self.smoothing = smoothing
        self.config = config
        self.similarity = "hamming" if self.hashes else "dot"

    @classmethod
    def parts(cls, config: Any, image_channels: int, text_channels: int, graph: Data | None) -> dict[str, nn.Module]:
        """Build the parts."""
        if graph is None:
            raise ValueError(f"'graph' must be a label graph for {cls.name!r} (got none)")
        width, channels = config.hidden_channels, {"image": image_channels, "text": text_channels}
        image_classifier, text_classifier = _classifiers(config, graph)
        return {
            **{f"{side}_projector": Projector(size, width, config.batch_norm) for side, size in channels.items()},
            **{f"{side}_calibration": Calibration(graph.num_nodes) for side in channels},
            "image_classifier": image_classifier,
            "text_classifier": text_classifier,
            "smoothing": LabelSmoothing(graph, config.smoothing) if config.smoothing else nn.Identity(),
            **hash_heads(config, graph.num_nodes * config.order),
        }

    def label_scores(self, side: str, features: Tensor) -> Tensor:
        """Logits of the labels (B, C), before calibration."""
        hidden = F.dropout(self.projectors[side](features), self.config.dropout, self.training)
        scores: Tensor = self.classifiers[side](hidden)
        return scores

    def calibrate(self, scores: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Fit the calibration of each side that is there."""
        for side, (logits, labels) in scores.items():
            self._calibration(side).fit(logits, labels, self.config.calibration, self.config.shrinkage)

    def label_probabilities(self, side: str, features: Tensor) -> Tensor:
        """Calibrated probabilities of the labels, shape (B, C)."""
        return self._calibration(side)(self.label_scores(side, features)).sigmoid()

    def encode_image(self, image: Tensor) -> Tensor:
        """Image features (B, D_v) to relevance features (B, C K), or with hash heads to codes (B, bits)."""
        return self._encode("image", image)

    def encode_text(self, text: Tensor) -> Tensor:
        """Text features (B, D_t) to relevance features (B, C K), or with hash heads to codes (B, bits)."""
        return self._encode("text", text)

    def on_epoch(self, epoch: int) -> None:
        """Tell the hash heads their epoch."""
        for head in self.hashes.values():
            cast(HashHead, head).on_epoch(epoch)

    def forward(self, image: Tensor, text: Tensor) -> dict[str, Tensor]:
        """Score every label for both sides of a batch, and relax their codes."""
        outputs = {
            f"{side}_scores": self.label_scores(side, each) for side, each in zip(SIDES, (image, text), strict=True)
        }
        # Codes follow the probabilities, which stay what cross-entropy makes them.
        return outputs | {
            f"{side}_code": head(self._features(outputs[f"{side}_scores"].detach().sigmoid()))
            for side, head in self.hashes.items()
        }

    def loss_terms(self, outputs: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """The losses by name, each a scalar without its weight."""
        image, text = outputs["image_scores"], outputs["text_scores"]
        targets = self.smoothing(labels)
        terms = {
            **hash_terms(outputs, labels),
            "image": _cross_entropy(image, targets),
            "text": _cross_entropy(text, targets),
        }
        return terms | (
            {"relevance": relevance_loss(image.sigmoid(), text.sigmoid(), labels)} if self.config.alpha else {}
        )

    def loss_weights(self) -> dict[str, float]:
        """The weight of each loss term."""
        return {**hash_weights(self.config), "image": 1.0, "text": 1.0, "relevance": self.config.alpha}

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """All parameters at the base learning rate, but a learned residual at its own."""
        fast = [p for n, p in self.named_parameters() if n.endswith("adjacency.residual")]
        return self._groups(lr, {self.config.residual_lr_scale: fast})

    def _calibration(self, side: str) -> Calibration:
        return cast(Calibration, self.calibrations[side])

    def _features(self, probabilities: Tensor) -> Tensor:
        return relevance_features(probabilities, self.config.order, self.config.exact_at)

    def _encode(self, side: str, features: Tensor) -> Tensor:
        if not self.hashes:
            return self._features(self.label_probabilities(side, features))
        # Not calibrated, as they were learned.
        features = self._features(self.label_scores(side, features).sigmoid())
        return cast(HashHead, self.hashes[side]).codes(features)


def _cross_entropy(scores: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy, summed over labels and averaged over items."""
    return F.binary_cross_entropy_with_logits(scores, targets) * scores.shape[1]


def _classifiers(config: ExpectedRelevanceConfig, graph: Data) -> tuple[nn.Module, nn.Module]:
    """One for each side; the same where they are shared."""
    if config.classifiers not in CLASSIFIERS:
        raise ValueError(f"'classifiers' must be one of {', '.join(CLASSIFIERS)} (got {config.classifiers!r})")
    if config.classifiers == "graph":
        both: nn.Module = GraphClassifier(build_label_branch(config, graph), graph.num_nodes)
        return both, both
    first = nn.Linear(config.hidden_channels, graph.num_nodes)
    return first, first if config.shared else nn.Linear(config.hidden_channels, graph.num_nodes)
