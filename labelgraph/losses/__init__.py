"""Losses as pure functions, one a file."""

from labelgraph.losses.classification import classification_loss
from labelgraph.losses.pairwise import pairwise_loss
from labelgraph.losses.structure import structure_loss

__all__ = ["classification_loss", "pairwise_loss", "structure_loss"]
