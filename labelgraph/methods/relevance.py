"""Expected relevance: label probabilities of both sides, and the probability that they share a label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.data import Data

from labelgraph.losses import relevance_loss
from labelgraph.methods.base import Method
from labelgraph.methods.hashing import hash_terms, hash_weights
from labelgraph.methods.label_graph import LabelGraphConfig, build_label_branch
from labelgraph.nn import Calibration, GraphClassifier, HashHead, LabelSmoothing, Projector, relevance_features

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
        calibration: ``"temperature"``, ``"platt"`` or ``"none"``.
        shrinkage: Of ``platt``: how much alike its lines are.
    """

    hidden_channels: int = 1024
    dropout: float = 0.5
    batch_norm: bool = False
    classifiers: str = "free"
    shared: bool = False
    smoothing: float = 0.0
    alpha: float = 0.0
    order: int = 4
    exact_at: float | None = 0.95
    calibration: str = "temperature"
    shrinkage: float = 1000.0


class ExpectedRelevance(Method):
    r"""Rank by the probability that two items share a label; a method of this library.

    A network with one hidden layer a side is trained by binary cross-entropy to tell the labels of its items, and
    calibrated on held-out items. If labels are independent given the items, two items share one with the
    probability :math:`1 - \prod_c (1 - p_c q_c)`. Embeddings are `relevance_features` of the probabilities, whose
    products rank by it. Codes are signs of one linear map of the probabilities
    of either side, learned beside from the labels.

    .. math:: L = L_{image} + L_{text} + \alpha L_{relevance}

    Args:
        image_projector: Image features (B, D_v) to hidden units (B, H).
        text_projector: Text features (B, D_t) to hidden units (B, H).
        image_classifier: Hidden units to label scores (B, C).
        image_calibration: Label scores to calibrated logits (B, C).
        text_calibration: The same of texts.
        smoothing: Labels (B, C) to targets.
        config: The method's hyper-parameters.
        text_classifier: Hidden units of texts to label scores; by default that of images serves both.
        hash_head: Probabilities (B, C) of either side to relaxed codes (B, bits); with it, search is by codes.

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
        image_calibration: Calibration,
        text_calibration: Calibration,
        smoothing: nn.Module,
        config: ExpectedRelevanceConfig,
        text_classifier: nn.Module | None = None,
        hash_head: HashHead | None = None,
    ) -> None:
        super().__init__()
        self.projectors = nn.ModuleDict({"image": image_projector, "text": text_projector})
        self.image_classifier, self.text_classifier = image_classifier, text_classifier
        self.calibrations = nn.ModuleDict({"image": image_calibration, "text": text_calibration})
        self.hash_head = hash_head
        self.smoothing = smoothing
        self.config = config
        self.similarity = "dot" if hash_head is None else "hamming"

    @classmethod
    def parts(cls, config: Any, image_channels: int, text_channels: int, graph: Data | None) -> dict[str, nn.Module]:
        """Build the parts."""
        if graph is None:
            raise ValueError(f"'graph' must be a label graph for {cls.name!r} (got none)")
        width, channels = config.hidden_channels, {"image": image_channels, "text": text_channels}
        return {
            **{f"{side}_projector": Projector(size, width, config.batch_norm) for side, size in channels.items()},
            **{f"{side}_calibration": Calibration(graph.num_nodes) for side in channels},
            **_classifiers(config, graph),
            "smoothing": LabelSmoothing(graph, config.smoothing) if config.smoothing else nn.Identity(),
            **({} if config.bits is None else {"hash_head": HashHead(graph.num_nodes, config.bits, config.relaxation)}),
        }

    def label_scores(self, side: str, features: Tensor) -> Tensor:
        """Logits of the labels (B, C), before calibration."""
        hidden = F.dropout(self.projectors[side](features), self.config.dropout, self.training)
        own = self.text_classifier if side == "text" else None
        scores: Tensor = (own or self.image_classifier)(hidden)
        return scores

    def calibrate(self, scores: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Fit the calibration of each side that is there."""
        for side, (logits, labels) in scores.items():
            self._calibration(side).fit(logits, labels, self.config.calibration, self.config.shrinkage)

    def label_probabilities(self, side: str, features: Tensor) -> Tensor:
        """Calibrated probabilities of the labels, shape (B, C)."""
        return self._calibration(side)(self.label_scores(side, features)).sigmoid()

    def encode_image(self, image: Tensor) -> Tensor:
        """Image features (B, D_v) to relevance features (B, C K), or with a hash head to codes (B, bits)."""
        return self._encode("image", image)

    def encode_text(self, text: Tensor) -> Tensor:
        """Text features (B, D_t) to relevance features (B, C K), or with a hash head to codes (B, bits)."""
        return self._encode("text", text)

    def on_epoch(self, epoch: int) -> None:
        """Tell the hash head its epoch."""
        if self.hash_head is not None:
            self.hash_head.on_epoch(epoch)

    def forward(self, image: Tensor, text: Tensor) -> dict[str, Tensor]:
        """Score every label for both sides of a batch, and relax their codes."""
        outputs = {
            f"{side}_scores": self.label_scores(side, each) for side, each in zip(SIDES, (image, text), strict=True)
        }
        if self.hash_head is not None:
            for side in SIDES:
                # Codes follow the probabilities, which stay what cross-entropy makes them.
                outputs[f"{side}_code"] = self.hash_head(outputs[f"{side}_scores"].detach().sigmoid())
        return outputs

    def loss_terms(self, outputs: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """The losses by name, each a scalar without its weight."""
        image, text = outputs["image_scores"], outputs["text_scores"]
        targets = self.smoothing(labels)
        terms = {
            **hash_terms(outputs, labels),
            "image": _cross_entropy(image, targets),
            "text": _cross_entropy(text, targets),
        }
        if self.config.alpha:
            terms["relevance"] = relevance_loss(image.sigmoid(), text.sigmoid(), labels)
        return terms

    def loss_weights(self) -> dict[str, float]:
        """The weight of each loss term."""
        return {**hash_weights(self.config), "image": 1.0, "text": 1.0, "relevance": self.config.alpha}

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """All parameters at the base learning rate, but a learned residual at its own."""
        fast = [p for n, p in self.named_parameters() if n.endswith("adjacency.residual")]
        return self._groups(lr, {self.config.residual_lr_scale: fast})

    def _calibration(self, side: str) -> Calibration:
        return cast(Calibration, self.calibrations[side])

    def _encode(self, side: str, features: Tensor) -> Tensor:
        if self.hash_head is None:
            probabilities = self.label_probabilities(side, features)
            return relevance_features(probabilities, self.config.order, self.config.exact_at)
        # Not calibrated, as the codes were learned.
        return self.hash_head.codes(self.label_scores(side, features).sigmoid())


def _cross_entropy(scores: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy, summed over labels and averaged over items."""
    return F.binary_cross_entropy_with_logits(scores, targets) * scores.shape[1]


def _classifiers(config: ExpectedRelevanceConfig, graph: Data) -> dict[str, nn.Module]:
    """One for each side, or that of images alone, which then serves both."""
    if config.classifiers not in CLASSIFIERS:
        raise ValueError(f"'classifiers' must be one of {', '.join(CLASSIFIERS)} (got {config.classifiers!r})")
    if config.classifiers == "graph":
        return {"image_classifier": GraphClassifier(build_label_branch(config, graph), graph.num_nodes)}
    sides = ("image",) if config.shared else SIDES
    return {f"{side}_classifier": nn.Linear(config.hidden_channels, graph.num_nodes) for side in sides}
