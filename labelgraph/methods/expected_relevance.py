"""Expected relevance: label probabilities of both sides, and the probability that they share a label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.data import Data

from labelgraph._core.names import SIDES
from labelgraph.methods.base import Method
from labelgraph.methods.configs import ExpectedRelevanceConfig
from labelgraph.methods.hash_heads import hash_terms, hash_weights
from labelgraph.nn import HashHead, Projector
from labelgraph.probability import Calibration, relevance_features


class ExpectedRelevance(Method):
    r"""Rank by the probability that two items share a label; a method of this library.

    A hidden layer a side, and one linear layer for both, are trained by binary cross-entropy to tell the labels of the
    items, and calibrated on held-out items. If labels are independent given the items, two items share one with the
    probability :math:`1 - \prod_c (1 - p_c q_c)`. Embeddings are `relevance_features` of the probabilities, whose
    products rank by it. Codes are signs of one linear map of the probabilities of either side, learned beside from the
    labels. Of the label graph it takes the number of labels alone: what was tried to make more of it did not help
    (benchmarks/README.md).

    .. math:: L = L_{image} + L_{text}

    Args:
        image_projector: Image features (B, D_v) to hidden units (B, H).
        text_projector: Text features (B, D_t) to hidden units (B, H).
        classifier: Hidden units of either side to label scores (B, C).
        image_calibration: Label scores to calibrated logits (B, C).
        text_calibration: The same of texts.
        config: The method's hyper-parameters.
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
        classifier: nn.Module,
        image_calibration: Calibration,
        text_calibration: Calibration,
        config: ExpectedRelevanceConfig,
        hash_head: HashHead | None = None,
    ) -> None:
        super().__init__()
        self.projectors = nn.ModuleDict({"image": image_projector, "text": text_projector})
        self.classifier = classifier
        self.calibrations = nn.ModuleDict({"image": image_calibration, "text": text_calibration})
        self.hash_head = hash_head
        self.config = config
        self.similarity = "dot" if hash_head is None else "hamming"

    @classmethod
    def parts(cls, config: Any, image_channels: int, text_channels: int, graph: Data | None) -> dict[str, nn.Module]:
        """Build the parts."""
        if graph is None:
            raise ValueError(f"'graph' must be a label graph for {cls.name!r} (got none)")
        width, labels = config.hidden_channels, graph.num_nodes
        channels = {"image": image_channels, "text": text_channels}
        return {
            **{f"{side}_projector": Projector(size, width) for side, size in channels.items()},
            "classifier": nn.Linear(width, labels),
            **{f"{side}_calibration": Calibration(labels) for side in channels},
            **({} if config.bits is None else {"hash_head": HashHead(labels, config.bits, config.relaxation)}),
        }

    def label_scores(self, side: str, features: Tensor) -> Tensor:
        """Logits of the labels (B, C), before calibration."""
        hidden = F.dropout(self.projectors[side](features), self.config.dropout, self.training)
        scores: Tensor = self.classifier(hidden)
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
        own = {side: _cross_entropy(outputs[f"{side}_scores"], labels) for side in SIDES}
        return {**hash_terms(outputs, labels), **own}

    def loss_weights(self) -> dict[str, float]:
        """The weight of each loss term."""
        return {**hash_weights(self.config), "image": 1.0, "text": 1.0}

    def _calibration(self, side: str) -> Calibration:
        return cast(Calibration, self.calibrations[side])

    def _encode(self, side: str, features: Tensor) -> Tensor:
        if self.hash_head is None:
            probabilities = self.label_probabilities(side, features)
            return relevance_features(probabilities, self.config.order, self.config.exact_at)
        # Not calibrated, as the codes were learned.
        return self.hash_head.codes(self.label_scores(side, features).sigmoid())


def _cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy, summed over labels and averaged over items."""
    return F.binary_cross_entropy_with_logits(scores, labels) * scores.shape[1]
