"""Composable modules: label embeddings, adjacencies, propagation, encoders, projectors, discriminators, hashing."""

from typing import TYPE_CHECKING

from labelgraph._core.lazy import lazy_exports

if TYPE_CHECKING:
    from labelgraph.nn.adjacency import (
        ADJACENCIES,
        AdaptiveAdjacency,
        AttentionAdjacency,
        DenseAdjacency,
        MetricAdjacency,
        StaticAdjacency,
        label_adjacency,
    )
    from labelgraph.nn.adversarial import Generator, ModalityDiscriminator, reverse_gradient
    from labelgraph.nn.conv import LabelAttentionConv, LabelConv
    from labelgraph.nn.hash_layers import HashHead, HashNetwork
    from labelgraph.nn.item_branch import ItemBranch, ResidualAdjacency, fused_similarity
    from labelgraph.nn.label_clusters import LabelClusters
    from labelgraph.nn.label_encoder import LabelBranch, LabelEmbedding, LabelEncoder, cosine_scores
    from labelgraph.nn.label_references import LabelReferences
    from labelgraph.nn.label_table import LabelTable, table_parameters
    from labelgraph.nn.projector import FeatureLinear, FeatureNorm, Projector, feature_product, occurring_columns
    from labelgraph.nn.propagation import complete_edges, dense_adjacency, propagate, source_norm, source_norm_matrix
    from labelgraph.nn.ridge_classifier import RidgeClassifier
    from labelgraph.nn.sampled_branch import EdgeAdjacency, SampledLabelBranch

__all__ = [
    "ADJACENCIES",
    "AdaptiveAdjacency",
    "AttentionAdjacency",
    "DenseAdjacency",
    "EdgeAdjacency",
    "FeatureLinear",
    "FeatureNorm",
    "Generator",
    "HashHead",
    "HashNetwork",
    "ItemBranch",
    "LabelAttentionConv",
    "LabelBranch",
    "LabelClusters",
    "LabelConv",
    "LabelEmbedding",
    "LabelEncoder",
    "LabelReferences",
    "LabelTable",
    "MetricAdjacency",
    "ModalityDiscriminator",
    "Projector",
    "ResidualAdjacency",
    "RidgeClassifier",
    "SampledLabelBranch",
    "StaticAdjacency",
    "complete_edges",
    "cosine_scores",
    "dense_adjacency",
    "feature_product",
    "fused_similarity",
    "label_adjacency",
    "occurring_columns",
    "propagate",
    "reverse_gradient",
    "source_norm",
    "source_norm_matrix",
    "table_parameters",
]

__getattr__, __dir__ = lazy_exports(__name__)
