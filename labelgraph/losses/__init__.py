"""Losses as pure functions, one a file."""

from labelgraph.losses.adversarial import adversarial_loss
from labelgraph.losses.classification import classification_loss
from labelgraph.losses.contrastive import contrastive_loss
from labelgraph.losses.hashing import balance_loss, decorrelation_loss, quantisation_loss
from labelgraph.losses.pairwise import joint_pairwise_loss, pairwise_loss
from labelgraph.losses.similarity import similarity_loss
from labelgraph.losses.structure import structure_loss

__all__ = [
    "adversarial_loss",
    "balance_loss",
    "classification_loss",
    "contrastive_loss",
    "decorrelation_loss",
    "joint_pairwise_loss",
    "pairwise_loss",
    "quantisation_loss",
    "similarity_loss",
    "structure_loss",
]
