"""Settings of every method, with the published values as defaults. This module does not import PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from labelgraph._core.checked_config import (
    CheckedConfig,
    CountInt,
    PositiveFloat,
    PositiveInt,
    Share,
    ShareBelowOne,
    ShareInside,
    Weight,
)

Training = Mapping[str, Mapping[str, Any]]


def _training(**stages: Mapping[str, Any]) -> Training:
    return MappingProxyType({stage: MappingProxyType(dict(settings)) for stage, settings in stages.items()})


@dataclass(frozen=True)
class HashConfig(CheckedConfig):
    """Settings of hash heads.

    Args:
        bits: Length of the binary codes. With ``None``, the method has no codes and search compares embeddings.
        relaxation: ``"tanh"``, with a scale that grows with the epoch, or ``"straight-through"``.
        code_weight: Weight of the pairwise loss of the codes, which is the pairwise loss of ALGCN.
        quantisation_weight: Weight of the quantisation loss, the distance of relaxed codes from -1 and 1.
        balance_weight: Weight of the balance loss, which is low if each bit is 1 for half of the items.
        decorrelation_weight: Weight of the decorrelation loss, which is low if bits are uncorrelated.
    """

    # Published settings of the training by stage: fields of `labelgraph.train.TrainConfig`.
    training: ClassVar[Training] = _training(train={})
    # Learning rates by stage for small training sets, chosen by mAP on the validation split of the bundled set.
    small_set_rates: ClassVar[Mapping[str, float]] = MappingProxyType({})

    bits: PositiveInt | None = None
    relaxation: Literal["tanh", "straight-through"] = "tanh"
    code_weight: Weight = 1.0
    quantisation_weight: Weight = 0.1
    balance_weight: Weight = 0.1
    decorrelation_weight: Weight = 0.1


@dataclass(frozen=True)
class LabelGraphConfig(HashConfig):
    """Settings of every label-graph method, in addition to the settings of `HashConfig`.

    Args:
        hidden_channels: Width of the common space.
        num_layers: Number of graph convolutions over the label graph. With 0, the label graph is not used.
        conv: Kind of graph convolution, ``"gcn"`` or ``"gat"``.
        zero_hop: Whether the classifiers also read the label embeddings themselves, see `LabelEncoder`. Without it, as
            published, a classifier is a mixture of those of its neighbours.
        edges: Edges of the label graph: ``"cooccurrence"``, as published; ``"meaning"``, between similar label names,
            see `meaning_graph`; or ``"merged"``, both. The names need vectors, the ``x`` of the graph.
        num_neighbors: Largest number of similar names that lead to a label.
        adjacency: ``"static"``, ``"adaptive"``, ``"metric"`` or ``"attention"``.
        threshold: Minimum weight of an edge: a conditional probability, or the cosine of two label names. For
            ``adjacency="metric"``, minimum cosine of two label embeddings.
        gamma: Weight of the learned residual of ``adjacency="adaptive"``.
        residual_lr_scale: Learning rate of the learned residual, as a multiple of the base learning rate.
        metric_heads: Number of weight vectors of ``adjacency="metric"``.
        label_embedding: ``"pmi-svd"``, ``"learned"``, ``"one-hot"``, or ``"given"`` for vectors of your own, such as
            word vectors.
        embedding_channels: Size of the label embeddings, for ``"pmi-svd"`` and ``"learned"``.
        trainable_embedding: Whether training changes the label embeddings. By default, only ``"learned"`` embeddings
            change.
        kept_neighbors: With more than 1,024 labels, number of the heaviest edges into a label that the label graph
            keeps. Those below the threshold are candidates of ``adjacency="adaptive"``.
        sampled_neighbors: With more than 1,024 labels, number of edges into a label that a training step reads in each
            hop, beside its self-loop; see `SampledLabelBranch`.
        drawn_labels: With more than 1,024 labels, number of random labels that a training step scores beside the
            labels of the batch, see `draw_labels`.
    """

    hidden_channels: PositiveInt = 1024
    num_layers: CountInt = 3
    conv: Literal["gcn", "gat"] = "gcn"
    zero_hop: bool = False
    edges: Literal["cooccurrence", "meaning", "merged"] = "cooccurrence"
    num_neighbors: PositiveInt = 10
    adjacency: Literal["static", "adaptive", "metric", "attention"] = "static"
    threshold: Share = 0.4
    gamma: Weight = 0.5
    residual_lr_scale: PositiveFloat = 100.0
    metric_heads: PositiveInt = 8
    label_embedding: Literal["pmi-svd", "learned", "one-hot", "given"] = "pmi-svd"
    embedding_channels: PositiveInt | None = None
    trainable_embedding: bool | None = None
    kept_neighbors: PositiveInt = 10
    sampled_neighbors: PositiveInt = 3
    drawn_labels: PositiveInt = 1024


@dataclass(frozen=True)
class ALGCNConfig(LabelGraphConfig):
    """Settings of `ALGCN` in addition to `LabelGraphConfig`, with the published values for MIRFlickr.

    (IEEE TMM 2021, doi:10.1109/TMM.2021.3101642.)

    Args:
        alpha: Weight of the pairwise loss.
        structure_weight: Weight of the structure loss, which is used with ``adjacency="adaptive"`` only.
        negative_rate: Share of random edges in the structure loss.
    """

    training: ClassVar[Training] = _training(
        train={"epochs": 30, "batch_size": 100, "lr": 5e-5, "betas": (0.5, 0.999), "patience": 0}
    )
    small_set_rates: ClassVar[Mapping[str, float]] = MappingProxyType({"train": 2e-4})

    adjacency: Literal["static", "adaptive", "metric", "attention"] = "adaptive"
    label_embedding: Literal["pmi-svd", "learned", "one-hot", "given"] = "learned"
    alpha: Weight = 0.2
    structure_weight: Weight = 0.5
    negative_rate: Share = 0.2


@dataclass(frozen=True)
class DualAdversarialConfig(LabelGraphConfig):
    """Settings of the dual adversarial methods, in addition to the settings of `LabelGraphConfig`.

    The published methods use 300-d GloVe vectors of the label names (``label_embedding="given"``). The default here is
    PMI-SVD, which needs no download.

    Args:
        text_generator_channels: Hidden width of the generator of text features.
        image_generator_channels: Hidden width of the generator of image features.
        beta: Weight of the adversarial loss.
    """

    text_generator_channels: PositiveInt = 512
    image_generator_channels: PositiveInt = 2048
    beta: Weight = 0.2


@dataclass(frozen=True)
class DAGNNConfig(DualAdversarialConfig):
    """Settings of `DAGNN` in addition to `DualAdversarialConfig`, with the published values for MIRFlickr.

    (AAAI 2021, doi:10.1609/aaai.v35i3.16345.)

    Args:
        alpha: Weight of the pairwise loss.
    """

    training: ClassVar[Training] = _training(
        train={"epochs": 40, "batch_size": 100, "lr": 5e-5, "betas": (0.5, 0.999), "patience": 0},
        stage2={"epochs": 40, "batch_size": 100, "lr": 4e-6, "betas": (0.5, 0.999), "patience": 0},
    )
    small_set_rates: ClassVar[Mapping[str, float]] = MappingProxyType({"train": 2e-4, "stage2": 1.6e-5})

    num_layers: CountInt = 4
    alpha: Weight = 0.2


@dataclass(frozen=True)
class PGNNCONConfig(DualAdversarialConfig):
    """Settings of `PGNNCON` in addition to `DualAdversarialConfig`, with the published values for MIRFlickr.

    (IEEE TPAMI 2022, doi:10.1109/TPAMI.2022.3188547.)

    Args:
        alpha: Weight of the classification loss.
        temperature: Temperature of the contrastive loss.
        intra_weight: Weight of the contrastive terms within a modality.
    """

    training: ClassVar[Training] = _training(
        train={"epochs": 40, "batch_size": 100, "lr": 5e-5, "betas": (0.5, 0.999), "patience": 0},
        stage2={"epochs": 40, "batch_size": 100, "optimizer": "sgd", "lr": 1e-7, "patience": 0},
    )
    small_set_rates: ClassVar[Mapping[str, float]] = MappingProxyType({"train": 5e-4})

    num_layers: CountInt = 5
    beta: Weight = 2.0
    alpha: Weight = 0.5
    temperature: PositiveFloat = 0.22
    intra_weight: Weight = 0.14


@dataclass(frozen=True)
class IGNNCONConfig(PGNNCONConfig):
    """Settings of `IGNNCON`: the settings of `PGNNCONConfig`, with a learned label graph and label embeddings."""

    adjacency: Literal["static", "adaptive", "metric", "attention"] = "metric"
    trainable_embedding: bool | None = True


@dataclass(frozen=True)
class AGAHConfig(CheckedConfig):
    """Settings of `AGAH`, with the published values for MIRFlickr except for the adjacency.

    (APWeb-WAIM 2023.)

    Args:
        bits: Length of the codes.
        hidden_channels: Hidden width of the hash networks.
        graph_channels: Widths of the two graph convolutions.
        adjacency: Adjacency between the items of a batch: ``"attention"`` for batches of any size, or the published
            ``"residual"``.
        num_items: Largest batch size of ``adjacency="residual"``.
        gamma: Weight of the learned part of ``adjacency="residual"``.
        attention_channels: Size of queries and keys of ``adjacency="attention"``.
        image_weight: Weight of the image similarity (eta).
        text_weight: Weight of the text similarity (beta).
        cross_weight: Weight of the product of both similarities (lambda).
        similarity_scale: Scale of the fused similarity (mu).
        delta: Weight of the loss within modalities.
        epsilon: Weight of the losses between modalities and between graph branches.
        phi: Weight of the loss between the graph branch and the codes.
    """

    training: ClassVar[Training] = _training(
        train={"epochs": 20, "batch_size": 32, "optimizer": "sgd", "lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4,
               "patience": 0}
    )  # fmt: skip

    bits: PositiveInt = 64
    hidden_channels: PositiveInt = 4096
    graph_channels: tuple[PositiveInt, PositiveInt] = (2048, 1024)
    adjacency: Literal["attention", "residual"] = "attention"
    num_items: PositiveInt = 32
    gamma: Weight = 0.45
    attention_channels: PositiveInt = 64
    image_weight: Weight = 0.5
    text_weight: Weight = 0.2
    cross_weight: Weight = 0.3
    similarity_scale: PositiveFloat = 1.4
    delta: Weight = 0.1
    epsilon: Weight = 1.0
    phi: Weight = 0.15


@dataclass(frozen=True)
class ExpectedRelevanceConfig(HashConfig):
    """Settings of `ExpectedRelevance`, in addition to the settings of `HashConfig`.

    The default values were chosen on the validation split of the bundled data set.

    Args:
        hidden_channels: Width of the hidden layers.
        dropout: Share of the hidden units that dropout sets to 0.
        image_norm: Apply batch normalisation to the image features first, as P-GNN-CON does. Features of small or very
            different ranges, such as histograms, need it to be learned in few steps.
        image_ridge: Share of a kernel ridge regression in the label probabilities of images, see `RidgeClassifier`. It
            raises the precision of queries of one label where training images are few, or their features histograms.
        score: Score of a pair of items. ``"expected_jaccard"`` is the expected Jaccard coefficient of the label sets;
            ``"expected_relevance"`` is the probability of a shared label; ``"expected_shared"`` is the expected number
            of shared labels; ``"expected_cosine"`` is the cosine of the label probabilities.
        pair_strength: Weight of the pair similarity in the score ``"expected_jaccard"``. With 0, results have the same
            labels as the query; with higher values, results show the same object.
        pair_weight: Weight of the pair loss, which trains an image and its own text to have similar hidden units. It is
            the weight in batches of 300 pairs; smaller batches have fewer negatives, and a weight in proportion.
        pair_temperature: Temperature of the pair loss, see `info_nce_loss`.
        word_dropout: Share of the texts that lose random words in training, so that the method learns short queries.
            It applies to bags of words only.
        name_weight: Weight of the loss of label names, each of which is a text of its label. The share of a label falls
            with its number of training items, as that of its reference.
        borrowing: Weight of the references of labels with few training items, see `LabelReferences`. With 0, the
            classifier alone scores the labels.
        borrowing_items: Number of training items at which the weights of a label's name and reference have fallen to
            one half.
        edges: Labels that a reference also reads: those with similar names (``"meaning"``), those that often occur with
            the label (``"cooccurrence"``), both (``"merged"``), or ``"none"``. Similar names need label vectors.
        order: Highest power in the features of ``"expected_relevance"``, see `relevance_features`.
        exact_at: Product of two label probabilities at which the features are exact, see `relevance_features`.
        calibration: ``"temperature"``, ``"platt"`` or ``"none"``.
        shrinkage: Strength with which ``calibration="platt"`` draws the lines of all labels together.
        drawn_labels: With more than 1,024 labels and no codes, number of random labels that a training step scores
            beside the labels of the batch, see `draw_labels`.
        soft_targets: With at most 1,024 labels, or codes, weight of what the labels of an item tell of its other
            labels: the target of such a label is the weight times its mean probability given each label of the item, by
            the label graph. For training items that lack labels.
        kept_labels: With more than 1,024 labels and no codes, number of the most probable labels that an embedding
            names, see `Embeddings`.
        label_probes: With more than 16,384 labels, the most probable labels of large batches are found by clusters of
            classifiers: number of clusters whose labels are scored for an item, see `LabelClusters`. More clusters
            miss fewer labels: with 100,000 synthetic tags, the labels that 16 clusters find have 0.90 of the
            probability of the most probable labels, those of 32 have 0.93. With ``None``, or if the label graph places
            labels without training items, all labels are scored.
    """

    # Training stops when mAP on the validation split stops improving, whatever the number of items.
    training: ClassVar[Training] = _training(
        train={
            "epochs": 1000,
            "batch_size": 300,
            "min_batches": 10,
            "lr": 3e-3,
            "betas": (0.9, 0.999),
            "patience": 400,
            "min_steps": 600,
            "ema_decay": 0.99,
        }
    )

    hidden_channels: PositiveInt = 1024
    dropout: ShareBelowOne = 0.6
    image_norm: bool = False
    image_ridge: Share = 0.0
    score: Literal["expected_jaccard", "expected_relevance", "expected_shared", "expected_cosine"] = "expected_jaccard"
    pair_strength: Weight = 1.5
    pair_weight: Weight = 5.0
    pair_temperature: PositiveFloat = 0.07
    word_dropout: Share = 0.8
    name_weight: Weight = 3.0
    borrowing: Weight = 20.0
    borrowing_items: PositiveFloat = 5.0
    edges: Literal["meaning", "cooccurrence", "merged", "none"] = "meaning"
    order: PositiveInt = 4
    exact_at: ShareInside | None = 0.95
    calibration: Literal["temperature", "platt", "none"] = "temperature"
    shrinkage: PositiveFloat = 1000.0
    drawn_labels: PositiveInt = 1024
    soft_targets: Share = 0.0
    kept_labels: PositiveInt = 32
    label_probes: PositiveInt | None = 16
