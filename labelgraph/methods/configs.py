"""The settings of every method, as published, and how it was published to be trained; read without PyTorch."""

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
    """Hyper-parameters of hash heads.

    Args:
        bits: Length of the codes to search by; none searches by embeddings.
        relaxation: ``"tanh"`` with a scale that grows by epoch, or ``"straight-through"``.
        code_weight: Weight of the pairwise loss of the codes, as of ALGCN's embeddings.
        quantisation_weight: Weight of their distance from -1 and 1.
        balance_weight: Weight of bits that are on too often or too seldom.
        decorrelation_weight: Weight of bits that tell the same.
    """

    # How the method was published to be trained: settings of `labelgraph.train.TrainConfig` by stage.
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
    """Hyper-parameters that every label-graph method has, beside those of `HashConfig`.

    Args:
        hidden_channels: Width of the common space.
        num_layers: Hops over the label graph; 0 uses no graph.
        conv: What a hop is, ``"gcn"`` or ``"gat"``.
        adjacency: ``"static"``, ``"adaptive"``, ``"metric"`` or ``"attention"``.
        threshold: Least conditional probability of an edge, and least cosine of ``metric``.
        gamma: Weight of the learned residual of ``adaptive``.
        residual_lr_scale: Learning rate of that residual, in base learning rates.
        metric_heads: Number of weight vectors of ``metric``.
        label_embedding: ``"pmi-svd"``, ``"learned"``, ``"one-hot"``, or ``"given"``, such as word vectors.
        embedding_channels: Size of the label embeddings, where there is a choice.
        trainable_embedding: Let training change the embeddings; by default only ``learned`` ones.
    """

    hidden_channels: PositiveInt = 1024
    num_layers: CountInt = 3
    conv: Literal["gcn", "gat"] = "gcn"
    adjacency: Literal["static", "adaptive", "metric", "attention"] = "static"
    threshold: Share = 0.4
    gamma: Weight = 0.5
    residual_lr_scale: PositiveFloat = 100.0
    metric_heads: PositiveInt = 8
    label_embedding: Literal["pmi-svd", "learned", "one-hot", "given"] = "pmi-svd"
    embedding_channels: PositiveInt | None = None
    trainable_embedding: bool | None = None


@dataclass(frozen=True)
class ALGCNConfig(LabelGraphConfig):
    """Hyper-parameters of `ALGCN` beside those of `LabelGraphConfig`, as published for MIRFlickr.

    (IEEE TMM 2021, doi:10.1109/TMM.2021.3101642.)

    Args:
        alpha: Weight of the pairwise loss.
        structure_weight: Weight of the structure loss, which the adaptive adjacency alone has.
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
    """Hyper-parameters of the dual adversarial methods beside those of `LabelGraphConfig`.

    They were published with 300-d GloVe vectors of the label names, ``label_embedding="given"``, for which PMI-SVD
    stands in.

    Args:
        text_generator_channels: Hidden width of the generator of texts.
        image_generator_channels: Hidden width of the generator of images.
        beta: Weight of the adversarial loss.
    """

    text_generator_channels: PositiveInt = 512
    image_generator_channels: PositiveInt = 2048
    beta: Weight = 0.2


@dataclass(frozen=True)
class DAGNNConfig(DualAdversarialConfig):
    """Hyper-parameters of `DAGNN` beside those of `DualAdversarialConfig`, as published for MIRFlickr.

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
    """Hyper-parameters of `PGNNCON` beside those of `DualAdversarialConfig`, as published for MIRFlickr.

    (IEEE TPAMI 2022, doi:10.1109/TPAMI.2022.3188547.)

    Args:
        alpha: Weight of the classification loss.
        temperature: Of the contrastive loss.
        intra_weight: Weight of its terms within a modality.
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
    """Hyper-parameters of `IGNNCON`: those of `PGNNCONConfig`, with what it learns of the graph."""

    adjacency: Literal["static", "adaptive", "metric", "attention"] = "metric"
    trainable_embedding: bool | None = True


@dataclass(frozen=True)
class AGAHConfig(CheckedConfig):
    """Hyper-parameters of `AGAH`, as published for MIRFlickr but for the adjacency.

    (APWeb-WAIM 2023.)

    Args:
        bits: Length of the codes.
        hidden_channels: Hidden width of the hash networks.
        graph_channels: Widths of the two graph convolutions.
        adjacency: Between the items of a batch: ``"attention"``, for batches of any size, or as published
            ``"residual"``.
        num_items: Largest batch of ``residual``.
        gamma: Weight of the learned part of ``residual``.
        attention_channels: Size of queries and keys of ``attention``.
        image_weight: Share of the images in the similarity (eta).
        text_weight: Share of the texts (beta).
        cross_weight: Share of both together (lambda).
        similarity_scale: Scale of the similarity (mu).
        delta: Weight of the loss within modalities.
        epsilon: Weight of the losses between modalities and between graph branches.
        phi: Weight of the loss between graph branch and codes.
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
    """Hyper-parameters of `ExpectedRelevance`, beside those of `HashConfig`, chosen on the bundled set's validation.

    Args:
        hidden_channels: Width of the hidden layers.
        dropout: Share of hidden units left out in training.
        score: What items are compared by: ``"expected_jaccard"``, the expected Jaccard coefficient of their label
            sets; ``"expected_relevance"``, the probability that they share a label; ``"expected_shared"``, the expected
            number of labels that they share; ``"expected_cosine"``, the cosine of their label probabilities.
        pair_strength: How much the likeness of two items counts beside their labels in ``"expected_jaccard"``: 0 finds
            items with the same labels, higher values find the same thing.
        pair_weight: Weight of the loss that draws each image and its own text together.
        pair_temperature: Of that loss, see `info_nce_loss`.
        word_dropout: Share of texts, if these are bags of words, that lose words at random in training, so that short
            queries are learned.
        order: Powers in the features of ``"expected_relevance"``, see `relevance_features`.
        exact_at: See there.
        calibration: ``"temperature"``, ``"platt"`` or ``"none"``.
        shrinkage: Of ``platt``: how much alike its lines are.
    """

    # Lasts until validation stops improving, whatever the number of items.
    training: ClassVar[Training] = _training(
        train={
            "epochs": 1000,
            "batch_size": 300,
            "min_batches": 10,
            "lr": 3e-3,
            "betas": (0.9, 0.999),
            "patience": 400,
            "min_steps": 600,
        }
    )

    hidden_channels: PositiveInt = 1024
    dropout: ShareBelowOne = 0.6
    score: Literal["expected_jaccard", "expected_relevance", "expected_shared", "expected_cosine"] = "expected_jaccard"
    pair_strength: Weight = 1.5
    pair_weight: Weight = 5.0
    pair_temperature: PositiveFloat = 0.07
    word_dropout: Share = 0.8
    order: PositiveInt = 4
    exact_at: ShareInside | None = 0.95
    calibration: Literal["temperature", "platt", "none"] = "temperature"
    shrinkage: PositiveFloat = 1000.0
