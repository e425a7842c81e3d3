"""Expected relevance: label probabilities and pair embeddings of images and texts, and scores computed from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labelgraph._core.checks import new_csr
from labelgraph._core.names import SIDES
from labelgraph._core.similarity import unit_length
from labelgraph._core.sparse_rows import pack_rows, top_rows
from labelgraph.data import DENSE_LABELS, csr_tensor
from labelgraph.losses import draw_labels, info_nce_loss, sampled_cross_entropy
from labelgraph.methods.base import Method
from labelgraph.methods.configs import ExpectedRelevanceConfig
from labelgraph.methods.hash_heads import hash_terms, hash_weights
from labelgraph.methods.label_finder import LabelFinder
from labelgraph.methods.label_placement import graph_probabilities
from labelgraph.nn import HashHead, LabelReferences, LabelTable, Projector, RidgeClassifier
from labelgraph.probability import Calibration, relevance_features

if TYPE_CHECKING:
    import scipy.sparse as sp
    from torch_geometric.data import Data

SIMILARITIES = {
    "expected_jaccard": "jaccard", "expected_relevance": "dot", "expected_shared": "dot", "expected_cosine": "cosine",
}  # fmt: skip
MOSTLY_ZERO = 0.75  # Texts with at least this share of zeros are treated as bags of words.
PAIR_BATCH = 300  # Number of pairs in a batch for which ``pair_weight`` is the weight of the pair loss.
FEWEST_KEPT = 0.05  # Minimum share of the words of a text that word dropout keeps.
# References of many labels, by the validation split of the benchmark ``tags`` with 10,000 labels.
NEIGHBOUR_ITEMS = 1.0  # Items as which the neighbours of a label count.
SHRINKAGE = 0.3
WHITENED = 3.0  # Cosines of whitened directions vary less, so that they need more weight.
BLOCK_SCORES = 2**24  # Label scores in memory at a time, 64 MiB, where the most probable of many labels are kept.


class ExpectedRelevance(Method):
    r"""Rank items by the labels that they are expected to share with the query. This is a method of this library.

    Images and texts have a hidden layer each, and share one linear layer. Binary cross-entropy trains the layers to
    predict the labels, and held-out items calibrate the probabilities. The score of two items with label probabilities
    :math:`p` and :math:`q` is their expected Jaccard coefficient :math:`J = p \cdot q / (|p|_1 + |q|_1 - p \cdot q)`.

    A pair loss (`info_nce_loss`) also trains an image and its own text to have similar hidden units, so that words
    other than labels influence the results. The cube of the cosine :math:`s` of the hidden units is added to the score
    with the weight :math:`\mu` (``pair_strength``). The cube is large only for nearly equal items, so it changes the
    order of these items, and hardly changes the order of other items.

    .. math:: L = L_{image} + L_{text} + \lambda L_{pair} + \nu L_{name}, \qquad
        score = (J + \mu \max(0, s)^3) / (1 + \mu)

    Labels with few training items learn from their names: each name is a text of its label in training. After training,
    these labels also score by references: the directions of their items, of their names as
    texts, and of labels with similar names (`LabelReferences`). So a label graph serves labels with few training items,
    and labels with none.

    A label without training items and reference, as `add_label` adds it, has the mean probability of the labels from
    which edges of the label graph lead to it, see `graph_probabilities`. With a hash head, codes are the signs of
    a linear map of the label probabilities, which images and texts share.

    With more than 1,024 labels and no codes, a training step scores only some labels: those of its batch, and random
    others for all of its items (`draw_labels`). Its time does not depend on the number of all labels, and its gradient
    is that of the loss over all labels on average. References are whitened and have three times the weight. Embeddings
    name the ``kept_labels`` most probable labels of an item, and the score is computed from them; `Embeddings` bounds
    its change. One line for all labels calibrates their probabilities, because few labels have held-out items of their
    own.

    Args:
        image_projector: Image features (B, D_v) to hidden units (B, H).
        text_projector: Text features (B, D_t) to hidden units (B, H).
        classifier: Hidden units (B, H) of images or texts to label scores (B, C). With a `LabelTable`, labels are many.
        image_calibration: Label scores of images (B, C) to calibrated logits (B, C).
        text_calibration: Label scores of texts (B, C) to calibrated logits (B, C).
        config: Settings of the method.
        hash_head: Label probabilities (B, C) to relaxed codes (B, bits). With a hash head, search compares codes.
        references: Hidden units of images or texts to additional label scores (B, C).
        image_ridge: Image features and label probabilities (B, C) to label probabilities (B, C).

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
    borrows = True

    def __init__(
        self,
        image_projector: nn.Module,
        text_projector: nn.Module,
        classifier: nn.Linear | LabelTable,
        image_calibration: Calibration,
        text_calibration: Calibration,
        config: ExpectedRelevanceConfig,
        hash_head: HashHead | None = None,
        references: LabelReferences | None = None,
        image_ridge: RidgeClassifier | None = None,
    ) -> None:
        super().__init__()
        self.projectors = nn.ModuleDict({"image": image_projector, "text": text_projector})
        self.classifier = classifier
        self.calibrations = nn.ModuleDict({"image": image_calibration, "text": text_calibration})
        self.hash_head = hash_head
        self.references = references
        self.image_ridge = image_ridge
        self.config = config
        self._finder = LabelFinder()
        self._names: tuple[sp.csr_array, Tensor, Tensor] | None = None  # Texts, labels and weights, for training.
        self.similarity = SIMILARITIES[config.score] if hash_head is None else "hamming"
        self.similarity_labels = classifier.out_features if self.similarity == "jaccard" else None
        self.takes_sparse_labels = isinstance(classifier, LabelTable)
        if self.takes_sparse_labels:
            powers = config.order if config.score == "expected_relevance" else 1
            self.similarity = f"sparse-{self.similarity}"
            self.similarity_labels = powers * min(config.kept_labels, classifier.out_features)

    @classmethod
    def parts(cls, config: Any, image_channels: int, text_channels: int, graph: Data | None) -> dict[str, nn.Module]:
        """Build the parts."""
        if graph is None:
            raise ValueError(f"'graph' must be a label graph for {cls.name!r} (got none)")
        if config.soft_targets and graph.get("edge_weight") is None:
            raise ValueError(
                "'graph' must have edge weights for 'soft_targets', as cooccurrence_graph gives (got none)"
            )
        width, labels = config.hidden_channels, graph.num_nodes
        channels = {"image": image_channels, "text": text_channels}
        many = labels > DENSE_LABELS and config.bits is None
        return {
            "image_projector": Projector(image_channels, width, batch_norm=config.image_norm),
            "text_projector": Projector(text_channels, width),
            "classifier": _table(graph, width) if many else nn.Linear(width, labels),
            **{f"{side}_calibration": Calibration(1 if many else labels) for side in channels},
            **_optional(config, labels, image_channels),
        }

    def hidden(self, side: str, features: Tensor) -> Tensor:
        """Compute the hidden units of images or texts, shape (B, H)."""
        units: Tensor = self.projectors[side](features)
        return F.dropout(units, self.config.dropout, self.training)

    def label_scores(self, side: str, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Compute the logits of all labels before calibration, shape (B, C); or of some labels (K,), shape (B, K)."""
        scores = self._scores(side, self.hidden(side, features), labels)
        return scores

    def read_names(self, names: sp.csr_array, labels: Tensor, counts: Tensor) -> None:
        """Train on the label names too, each as a text of its label."""
        items = self.config.borrowing_items
        self._names = (names, labels, items / (items + counts)) if self.config.name_weight and len(labels) else None

    def fit_references(
        self, batches: Iterable[tuple[str, Tensor, Tensor]], names: Tensor | None, graph: Data | None
    ) -> None:
        """Fit the references of labels with few training items."""
        if self.references is None:
            return
        scores = []

        def hidden_batches() -> Iterator[tuple[str, Tensor, Tensor]]:
            for side, features, labels in batches:
                hidden = self.hidden(side, features)
                # The mean score is the score of the mean; many labels have too many scores.
                seen = hidden.mean(0, keepdim=True) if self.takes_sparse_labels else hidden
                scores.append(self.classifier(seen).mean(0))
                yield side, hidden, labels

        known = None
        if names is not None:
            words = names.crow_indices().diff() if names.layout == torch.sparse_csr else names.count_nonzero(1)
            known = self.hidden("text", names) * (words > 0).unsqueeze(1)  # Other names have no direction.
        self.references.fit(hidden_batches(), known, graph)
        # The classifier has learned that a label without items is absent from all of them, so only its level is kept.
        unseen = self.references.unseen
        self.classifier.weight[unseen] = 0
        self.classifier.bias[unseen] = torch.stack(scores).mean(0)[unseen].view_as(self.classifier.bias[unseen])

    def fit_ridge(self, images: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Fit the ridge regression of images."""
        if self.image_ridge is not None:
            self.image_ridge.fit(images)

    def calibrate(self, scores: Mapping[str, tuple[Tensor, ...]]) -> None:
        """Fit the calibration of each side in ``scores``."""
        for side, (logits, labels, *weights) in scores.items():
            self._calibration(side).fit(logits, labels, self.config.calibration, self.config.shrinkage, *weights)

    def label_probabilities(self, side: str, features: Tensor) -> Tensor:
        """Compute the calibrated probabilities of the labels, shape (B, C)."""
        return self._probabilities(side, self.label_scores(side, features), features)

    def most_probable_labels(self, side: str, features: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the ``kept_labels`` most probable of many labels and their probabilities, (B, k) each."""
        return self._most_probable(side, self.hidden(side, features))

    def encode_image(self, image: Tensor) -> Tensor:
        """Encode image features (B, D_v) as label probabilities and pair embeddings, (B, C + H).

        The shape differs for other scores than ``"expected_jaccard"``, with a hash head, and with many labels.
        """
        return self._encode("image", image)

    def encode_text(self, text: Tensor) -> Tensor:
        """Encode text features (B, D_t) as label probabilities and pair embeddings, (B, C + H).

        The shape differs for other scores than ``"expected_jaccard"``, with a hash head, and with many labels.
        """
        return self._encode("text", text)

    def label_queries(self, labels: Tensor | None = None) -> Tensor | None:
        """Embed each label as a text that has this label with probability 1, and no other label.

        With many labels, the pair embedding is the direction of the classifier of the label, or without a training item
        its reference. It orders the items that do not name the label. With few labels, a label has no pair embedding.
        """
        weight = self.classifier.weight
        numbers = torch.arange(len(weight), device=weight.device) if labels is None else labels.to(weight.device)
        if self.takes_sparse_labels:
            certain = weight.new_zeros(len(numbers), min(self.config.kept_labels, len(weight)))
            certain[:, 0] = 1
            like = weight[numbers]
            if self.references is not None:
                like = like.where(like.any(1, keepdim=True), self.references.directions[numbers])
            return self._sparse_rows(numbers.unsqueeze(1) * certain.long(), certain, like)
        certain = F.one_hot(numbers, len(weight)).to(weight)
        if self.hash_head is not None:
            return self.hash_head.codes(certain)
        return self._compared(certain, torch.zeros_like(weight[numbers]))

    def on_epoch(self, epoch: int) -> None:
        """Set the epoch of the hash head."""
        if self.hash_head is not None:
            self.hash_head.on_epoch(epoch)

    def forward(self, image: Tensor, text: Tensor) -> dict[str, Tensor]:
        """Compute the label scores, hidden units and relaxed codes of a batch of pairs."""
        text = _shortened(text, self.config.word_dropout) if self.training else text
        hidden = {side: self.hidden(side, features) for side, features in zip(SIDES, (image, text), strict=True)}
        if self.takes_sparse_labels:  # The loss chooses the labels to score.
            outputs = {f"{side}_hidden": units for side, units in hidden.items()}
        else:
            outputs = {f"{side}_scores": self.classifier(units) for side, units in hidden.items()}
        if self.config.pair_weight:
            outputs.update({f"{side}_pair": units for side, units in hidden.items()})
        if self._names is not None and self.training:
            outputs["name_scores"], outputs["name_weights"] = self._name_scores(len(text), *self._names)
        if self.hash_head is not None:
            for side in SIDES:
                # Without the gradient of the codes, cross-entropy alone trains the probabilities.
                outputs[f"{side}_code"] = self.hash_head(outputs[f"{side}_scores"].detach().sigmoid())
        return outputs

    def loss_terms(self, outputs: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Compute the losses by name, as scalars without weights."""
        terms = self._label_terms(outputs, labels)
        if "image_pair" in outputs:
            pair = info_nce_loss(outputs["image_pair"], outputs["text_pair"], self.config.pair_temperature)
            terms["pair"] = pair * min(1.0, len(outputs["image_pair"]) / PAIR_BATCH)
        if "name_scores" in outputs:
            # A name tells of its own label only: a cat is an animal too, though its name does not say so.
            terms["name"] = (F.softplus(-outputs["name_scores"]) * outputs["name_weights"]).mean()
        return {**hash_terms(outputs, labels), **terms}

    def loss_weights(self) -> dict[str, float]:
        """Return the weight of each loss term."""
        weights = {"pair": self.config.pair_weight, "name": self.config.name_weight}
        return {**hash_weights(self.config), "image": 1.0, "text": 1.0, **weights}

    def _label_terms(self, outputs: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Compute binary cross-entropy of both sides, over all labels or, if they are many, over drawn labels."""
        if not self.takes_sparse_labels:
            targets = self._targets(labels)
            return {side: _cross_entropy(outputs[f"{side}_scores"], targets) for side in SIDES}
        drawn = draw_labels(labels, self.config.drawn_labels)
        # One reading of the table for both sides gives one sparse gradient.
        scores = self.classifier(torch.cat([outputs[f"{side}_hidden"] for side in SIDES]), drawn.labels)
        return {side: sampled_cross_entropy(own, drawn) for side, own in zip(SIDES, scores.chunk(2), strict=True)}

    def _targets(self, labels: Tensor) -> Tensor:
        r"""Return the labels, and targets :math:`s \frac{1}{|Y|} \sum_{j \in Y} P(c \mid j)` of the labels not in Y."""
        if not self.config.soft_targets or self._graph is None:
            return labels
        edge_index, edge_weight = (self._graph[name].to(labels.device) for name in ("edge_index", "edge_weight"))
        # The weight of an edge is the probability of its source given its target.
        matrix = torch.sparse_coo_tensor(
            edge_index, edge_weight.to(labels), 2 * labels.shape[1:], check_invariants=False
        )
        means = (matrix @ labels.t()).t() / labels.sum(1, keepdim=True).clamp(min=1)
        return torch.where(labels > 0, labels, self.config.soft_targets * means.clamp(max=1))

    def _name_scores(self, size: int, names: sp.csr_array, labels: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Score some names, drawn at random, for their own labels."""
        like = self.classifier.weight
        drawn = torch.randperm(len(labels))[:size]
        own = labels[drawn].to(like.device)
        hidden = self.hidden("text", csr_tensor(names[drawn.numpy()]).to(like.device, like.dtype))
        table = self.classifier
        weight, bias = table.rows(own) if isinstance(table, LabelTable) else (like[own], table.bias[own])
        return (hidden * weight).sum(1) + bias, weights[drawn].to(like)

    def _scores(self, side: str, hidden: Tensor, labels: Tensor | None = None) -> Tensor:
        some = () if labels is None else (labels,)
        scores: Tensor = self.classifier(hidden, *some)
        return scores if self.references is None else scores + self.references(side, hidden, *some)

    def _calibration(self, side: str) -> Calibration:
        return cast(Calibration, self.calibrations[side])

    def _encode(self, side: str, features: Tensor) -> Tensor:
        hidden = self.hidden(side, features)
        if self.takes_sparse_labels:
            return self._sparse_rows(*self._most_probable(side, hidden), hidden)
        scores = self._scores(side, hidden)
        if self.hash_head is not None:
            return self.hash_head.codes(scores.sigmoid())  # Without calibration, as in training.
        return self._compared(self._probabilities(side, scores, features), hidden)

    def _probabilities(self, side: str, scores: Tensor, features: Tensor | None = None) -> Tensor:
        """Compute calibrated probabilities; labels without items or references have those of the label graph."""
        probabilities = self._calibration(side)(scores).sigmoid()
        if side == "image" and self.image_ridge is not None:
            probabilities = self.image_ridge(features, probabilities)
        if self._graph is None:
            return probabilities
        placed = graph_probabilities(probabilities, self._graph)
        return placed if self.references is None else torch.where(self.references.unseen, probabilities, placed)

    def _most_probable(self, side: str, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return the most probable labels and their probabilities, (B, k), in blocks of items."""
        line, kept, parts = self._calibration(side), self.config.kept_labels, []
        # The line and the sigmoid keep the order.
        ordered = not self._finder.places(self._graph) and bool((line.slope > 0).all())
        table, probes = self.classifier, self.config.label_probes
        if ordered and probes is not None and isinstance(table, LabelTable) and self._finder.pays(table, len(hidden)):
            labels, highest = self._finder.highest(table, self.references, side, hidden, kept, probes)
            return labels, line(highest).sigmoid()
        for block in hidden.split(max(1, BLOCK_SCORES // len(table.weight))):
            scores = self._scores(side, block)
            if not ordered:
                parts.append(top_rows(self._probabilities(side, scores), kept))
            else:
                labels, highest = top_rows(scores, kept)
                parts.append((labels, line(highest).sigmoid()))
        labels, probabilities = (torch.cat(each) for each in zip(*parts, strict=True))
        return labels, probabilities

    def _sparse_rows(self, labels: Tensor, probabilities: Tensor, hidden: Tensor) -> Tensor:
        """Compute the embeddings for the score from the most probable labels and hidden units."""
        if self.config.score == "expected_relevance":
            features = relevance_features(probabilities, self.config.order, self.config.exact_at)
            power = torch.arange(self.config.order, device=labels.device).repeat_interleave(labels.shape[1])
            # The powers of a label are labels of their own.
            return pack_rows(labels.repeat(1, self.config.order) + power * len(self.classifier.weight), features)
        return pack_rows(labels, probabilities, self._pair(hidden))

    def _pair(self, hidden: Tensor) -> Tensor | None:
        """Compute the pair embeddings, if the score has them."""
        if self.config.score != "expected_jaccard" or not self.config.pair_weight or not self.config.pair_strength:
            return None
        # The similarity multiplies two embeddings and cubes the product, so a factor enters with the sixth power.
        return self.config.pair_strength ** (1 / 6) * unit_length(hidden)

    def _compared(self, probabilities: Tensor, hidden: Tensor) -> Tensor:
        """Compute the embeddings for the score from label probabilities and hidden units."""
        if self.config.score == "expected_relevance":
            return relevance_features(probabilities, self.config.order, self.config.exact_at)
        pair = self._pair(hidden)
        return probabilities if pair is None else torch.cat([probabilities, pair], 1)


def _table(graph: Data, width: int) -> LabelTable:
    """Build the table of classifiers of many labels; scores start at the log-odds of the labels in the graph."""
    count = graph.get("count")
    return LabelTable(int(graph.num_nodes or 0), width, count, 0 if count is None else int(graph.num_samples))


def _optional(config: ExpectedRelevanceConfig, labels: int, image_channels: int) -> dict[str, nn.Module]:
    """Build the hash head, or else the other parts, because codes are learned from the scores of the classifier."""
    many, bits, parts = labels > DENSE_LABELS, config.bits, dict[str, nn.Module]()
    if config.soft_targets and many and bits is None:
        raise ValueError(f"'soft_targets' must be 0 with more than {DENSE_LABELS:,} labels (got {config.soft_targets} "
                         f"with {labels:,} labels)")  # fmt: skip
    if config.image_ridge and (many or bits is not None):
        raise ValueError(
            f"'image_ridge' must be 0 with more than {DENSE_LABELS:,} labels, or codes (got {config.image_ridge} with "
            + (f"codes of {bits} bits)" if bits is not None else f"{labels:,} labels)")
        )
    if bits is not None:
        return {"hash_head": HashHead(labels, bits, config.relaxation)}
    if config.borrowing:
        strength = WHITENED * config.borrowing if many else config.borrowing
        sizes = (labels, config.hidden_channels, strength, config.borrowing_items)
        parts["references"] = LabelReferences(*sizes, *((NEIGHBOUR_ITEMS, SHRINKAGE) if many else ()))
    if config.image_ridge:
        parts["image_ridge"] = RidgeClassifier(image_channels, labels, config.image_ridge)
    return parts


def _cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Compute binary cross-entropy, summed over labels and averaged over items."""
    return F.binary_cross_entropy_with_logits(scores, labels) * scores.shape[1]


def _shortened(text: Tensor, share: float) -> Tensor:
    """Drop random words from a share of the texts, if the texts are bags of words.

    A shortened text keeps a random share of its words, drawn from [0.05, 1].
    """
    if not share:
        return text
    size = (len(text), 1)
    rates = torch.rand(size, device=text.device) * (1 - FEWEST_KEPT) + FEWEST_KEPT
    rates = torch.where(torch.rand(size, device=text.device) < share, rates, 1.0)
    if text.layout != torch.sparse_csr:
        bags = (text == 0).to(text.dtype).mean() >= MOSTLY_ZERO
        shortened = text * (torch.rand_like(text) < torch.where(bags, rates, 1.0))
        return torch.where(shortened.any(1, keepdim=True), shortened, text)  # No text loses all words.
    rows = torch.repeat_interleave(torch.arange(len(text), device=text.device), text.crow_indices().diff())
    values = text.values()
    stays = torch.rand_like(values) < rates[rows, 0]
    has_words = torch.zeros(len(text), dtype=torch.bool, device=text.device).index_put((rows[stays],), stays[stays])
    values = values * (stays | ~has_words[rows])
    return new_csr(text.crow_indices(), text.col_indices(), values, text.shape)
