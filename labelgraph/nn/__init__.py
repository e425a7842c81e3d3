"""Modules to compose: label embeddings, adjacencies, propagation, encoders, projectors, adversaries, hashing."""

from labelgraph.nn.adaptive import AdaptiveAdjacency
from labelgraph.nn.adjacency import ADJACENCIES, label_adjacency
from labelgraph.nn.attention import AttentionAdjacency
from labelgraph.nn.attention_conv import LabelAttentionConv
from labelgraph.nn.batch_norm import FeatureNorm
from labelgraph.nn.calibration import CALIBRATIONS, Calibration, platt_scaling, temperature_scaling
from labelgraph.nn.complete_graph import complete_edges
from labelgraph.nn.conv import LabelConv
from labelgraph.nn.discriminator import ModalityDiscriminator
from labelgraph.nn.embedding import LabelEmbedding
from labelgraph.nn.encoder import LabelEncoder
from labelgraph.nn.feature_linear import FeatureLinear, feature_product, occurring_columns
from labelgraph.nn.generator import Generator
from labelgraph.nn.gradient_reversal import reverse_gradient
from labelgraph.nn.hash_head import HashHead
from labelgraph.nn.hash_network import HashNetwork
from labelgraph.nn.item_branch import ItemBranch
from labelgraph.nn.label_branch import LabelBranch
from labelgraph.nn.metric import MetricAdjacency
from labelgraph.nn.norm import source_norm
from labelgraph.nn.projector import Projector
from labelgraph.nn.propagation import dense_adjacency, propagate
from labelgraph.nn.relevance_features import relevance_features
from labelgraph.nn.reliability import ReliabilityCurve, expected_calibration_error, reliability_curve
from labelgraph.nn.residual import ResidualAdjacency
from labelgraph.nn.scores import cosine_scores
from labelgraph.nn.similarity import fused_similarity
from labelgraph.nn.static import StaticAdjacency

__all__ = [
    "ADJACENCIES",
    "CALIBRATIONS",
    "AdaptiveAdjacency",
    "AttentionAdjacency",
    "Calibration",
    "FeatureLinear",
    "FeatureNorm",
    "Generator",
    "HashHead",
    "HashNetwork",
    "ItemBranch",
    "LabelAttentionConv",
    "LabelBranch",
    "LabelConv",
    "LabelEmbedding",
    "LabelEncoder",
    "MetricAdjacency",
    "ModalityDiscriminator",
    "Projector",
    "ReliabilityCurve",
    "ResidualAdjacency",
    "StaticAdjacency",
    "complete_edges",
    "cosine_scores",
    "dense_adjacency",
    "expected_calibration_error",
    "feature_product",
    "fused_similarity",
    "label_adjacency",
    "occurring_columns",
    "platt_scaling",
    "propagate",
    "relevance_features",
    "reliability_curve",
    "reverse_gradient",
    "source_norm",
    "temperature_scaling",
]
