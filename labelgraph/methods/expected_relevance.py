"""Expected relevance: label probabilities and pair embeddings of both sides, and scores that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labelgraph._core.names import SIDES
from labelgraph._core.similarity import unit_length
from labelgraph.losses import info_nce_loss
from labelgraph.methods.base import Method
from labelgraph.methods.configs import ExpectedRelevanceConfig
from labelgraph.methods.hash_heads import hash_terms, hash_weights
from labelgraph.nn import HashHead, Projector
from labelgraph.probability import Calibration, relevance_features

if TYPE_CHECKING:
    from torch_geometric.data import Data

SIMILARITIES = {
    "expected_jaccard": "jaccard", "expected_relevance": "dot", "expected_shared": "dot", "expected_cosine": "cosine",
}  # fmt: skip
MOSTLY_ZERO = 0.75  # Texts with more zeros than this share are bags of words.
FEWEST_KEPT = 0.05  # Of the words of a text that is shortened in training.


class ExpectedRelevance(Method):
    r"""Rank by how much of their labels two items are expected to share; a method of this library.

    A hidden layer for each side and one linear layer for both are trained to predict the labels by binary
    cross-entropy, and calibrated on held-out items. Two items with label probabilities :math:`p` and :math:`q` score
    their expected Jaccard coefficient :math:`J = p \cdot q / (|p|_1 + |q|_1 - p \cdot q)`.

    The hidden layers are trained to draw each image and its own text together as well (`info_nce_loss`), so that words
    which are no label count. The cosine :math:`s` of the hidden units, cubed, is added to the score with the strength
    :math:`\mu` (``pair_strength``): it decides between items that are nearly the same thing, and hardly changes the
    order of the others.

    .. math:: L = L_{image} + L_{text} + \lambda L_{pair}, \qquad
        score = (J + \mu \max(0, s)^3) / (1 + \mu)

    With a hash head, codes are signs of one linear map of the probabilities of either side. Of the label graph the
    method uses the number of labels alone.

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
        >>> config = ExpectedRelevanceConfig(hidden_channels=8)
        >>> model = ExpectedRelevance.from_config(config, 6, 5, cooccurrence_graph([[1, 1, 0], [0, 0, 1]]))
        >>> model.similarity, model.encode_image(torch.rand(4, 6)).shape
        ('jaccard', torch.Size([4, 11]))
    """

    name: ClassVar[str] = "expected-relevance"
    Config: ClassVar[type] = ExpectedRelevanceConfig
    takes_sparse_text = True
    counts_labels = True
    scores_labels = True

    def __init__(
        self,
        image_projector: nn.Module,
        text_projector: nn.Module,
        classifier: nn.Linear,
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
        self.similarity = SIMILARITIES[config.score] if hash_head is None else "hamming"
        self.similarity_labels = classifier.out_features if self.similarity == "jaccard" else None

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

    def hidden(self, side: str, features: Tensor) -> Tensor:
        """Hidden units of one side, shape (B, H)."""
        units: Tensor = self.projectors[side](features)
        return F.dropout(units, self.config.dropout, self.training)

    def label_scores(self, side: str, features: Tensor) -> Tensor:
        """Logits of the labels (B, C), before calibration."""
        scores: Tensor = self.classifier(self.hidden(side, features))
        return scores

    def calibrate(self, scores: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Fit the calibration of each side that is there."""
        for side, (logits, labels) in scores.items():
            self._calibration(side).fit(logits, labels, self.config.calibration, self.config.shrinkage)

    def label_probabilities(self, side: str, features: Tensor) -> Tensor:
        """Calibrated probabilities of the labels, shape (B, C)."""
        return self._calibration(side)(self.label_scores(side, features)).sigmoid()

    def encode_image(self, image: Tensor) -> Tensor:
        """Image features (B, D_v) to label probabilities and pair embeddings (B, C + H), or what ``score`` needs."""
        return self._encode("image", image)

    def encode_text(self, text: Tensor) -> Tensor:
        """Text features (B, D_t) to label probabilities and pair embeddings (B, C + H), or what ``score`` needs."""
        return self._encode("text", text)

    def label_queries(self) -> Tensor | None:
        """A text that certainly has one label and no other."""
        weight = self.classifier.weight
        certain = torch.eye(len(weight), dtype=weight.dtype, device=weight.device)
        if self.hash_head is not None:
            return self.hash_head.codes(certain)
        return self._compared(certain, torch.zeros_like(weight))  # A label alone is no pair of anything.

    def on_epoch(self, epoch: int) -> None:
        """Tell the hash head its epoch."""
        if self.hash_head is not None:
            self.hash_head.on_epoch(epoch)

    def forward(self, image: Tensor, text: Tensor) -> dict[str, Tensor]:
        """Score every label for both sides of a batch, and embed them; relax their codes."""
        text = _shortened(text, self.config.word_dropout) if self.training else text
        hidden = {side: self.hidden(side, each) for side, each in zip(SIDES, (image, text), strict=True)}
        outputs = {f"{side}_scores": self.classifier(units) for side, units in hidden.items()}
        if self.config.pair_weight:
            outputs |= {f"{side}_pair": units for side, units in hidden.items()}
        if self.hash_head is not None:
            for side in SIDES:
                # Codes follow the probabilities, which stay what cross-entropy makes them.
                outputs[f"{side}_code"] = self.hash_head(outputs[f"{side}_scores"].detach().sigmoid())
        return outputs

    def loss_terms(self, outputs: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """The losses by name, each a scalar without its weight."""
        terms = {side: _cross_entropy(outputs[f"{side}_scores"], labels) for side in SIDES}
        if "image_pair" in outputs:
            terms["pair"] = info_nce_loss(outputs["image_pair"], outputs["text_pair"], self.config.pair_temperature)
        return {**hash_terms(outputs, labels), **terms}

    def loss_weights(self) -> dict[str, float]:
        """The weight of each loss term."""
        return {**hash_weights(self.config), "image": 1.0, "text": 1.0, "pair": self.config.pair_weight}

    def _calibration(self, side: str) -> Calibration:
        return cast(Calibration, self.calibrations[side])

    def _encode(self, side: str, features: Tensor) -> Tensor:
        hidden = self.hidden(side, features)
        scores: Tensor = self.classifier(hidden)
        if self.hash_head is not None:
            return self.hash_head.codes(scores.sigmoid())  # Not calibrated, as the codes were learned.
        return self._compared(self._calibration(side)(scores).sigmoid(), hidden)

    def _compared(self, probabilities: Tensor, hidden: Tensor) -> Tensor:
        """What the score compares, of label probabilities and hidden units."""
        if self.config.score == "expected_relevance":
            return relevance_features(probabilities, self.config.order, self.config.exact_at)
        if self.config.score != "expected_jaccard" or not self.config.pair_weight or not self.config.pair_strength:
            return probabilities
        # The likeness is a sixth power of this factor, see `Embeddings`.
        return torch.cat([probabilities, self.config.pair_strength ** (1 / 6) * unit_length(hidden)], 1)


def _cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy, summed over labels and averaged over items."""
    return F.binary_cross_entropy_with_logits(scores, labels) * scores.shape[1]


def _shortened(text: Tensor, share: float) -> Tensor:
    """Bags of words of which a share lost words at random: each keeps a share of its words drawn from [0.05, 1]."""
    if not share:
        return text
    size = (len(text), 1)
    kept = torch.rand(size, device=text.device) * (1 - FEWEST_KEPT) + FEWEST_KEPT
    kept = torch.where(torch.rand(size, device=text.device) < share, kept, 1.0)
    if text.layout != torch.sparse_csr:
        bags = (text == 0).to(text.dtype).mean() >= MOSTLY_ZERO
        shortened = text * (torch.rand_like(text) < torch.where(bags, kept, 1.0))
        return torch.where(shortened.any(1, keepdim=True), shortened, text)  # A text without words tells nothing.
    rows = torch.repeat_interleave(torch.arange(len(text), device=text.device), text.crow_indices().diff())
    values = text.values()
    left = torch.rand_like(values) < kept[rows, 0]
    some = torch.zeros(len(text), dtype=torch.bool, device=text.device).index_put((rows[left],), left[left])
    values = values * (left | ~some[rows])
    parts = text.crow_indices(), text.col_indices(), values
    return torch.sparse_csr_tensor(*parts, text.shape, check_invariants=False)
