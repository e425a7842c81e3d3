"""Modules to compose: label embeddings, adjacencies, propagation, encoders, projectors."""

from labelgraph.nn.adaptive import AdaptiveAdjacency
from labelgraph.nn.conv import LabelConv
from labelgraph.nn.embedding import LabelEmbedding
from labelgraph.nn.encoder import LabelEncoder
from labelgraph.nn.label_branch import LabelBranch
from labelgraph.nn.norm import source_norm
from labelgraph.nn.projector import Projector
from labelgraph.nn.propagation import dense_adjacency, propagate
from labelgraph.nn.scores import cosine_scores
from labelgraph.nn.static import StaticAdjacency

__all__ = [
    "AdaptiveAdjacency",
    "LabelBranch",
    "LabelConv",
    "LabelEmbedding",
    "LabelEncoder",
    "Projector",
    "StaticAdjacency",
    "cosine_scores",
    "dense_adjacency",
    "propagate",
    "source_norm",
]
