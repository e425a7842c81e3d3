"""Hash heads on a label-graph method: codes beside its embeddings, and the losses that make them good bits."""

from __future__ import annotations

from torch import Tensor, nn

from labelgraph.losses import balance_loss, decorrelation_loss, joint_pairwise_loss, quantisation_loss
from labelgraph.methods.configs import HashConfig
from labelgraph.nn import HashHead


def hash_heads(config: HashConfig, hidden_channels: int) -> dict[str, nn.Module]:
    """A head for each side, or nothing where no bits are asked for."""
    if config.bits is None:
        return {}
    return {side: HashHead(hidden_channels, config.bits, config.relaxation) for side in ("image_hash", "text_hash")}


def hash_terms(outputs: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
    """The losses of the codes by name, without weights; nothing where there are no codes."""
    if "image_code" not in outputs:
        return {}
    image, text = outputs["image_code"], outputs["text_code"]
    sides = (image, text)
    return {
        "code": joint_pairwise_loss(image, text, labels),
        "quantisation": sum(map(quantisation_loss, sides), image.new_zeros(())),
        "balance": sum(map(balance_loss, sides), image.new_zeros(())),
        "decorrelation": sum(map(decorrelation_loss, sides), image.new_zeros(())),
    }


def hash_weights(config: HashConfig) -> dict[str, float]:
    """The weight of each of these terms."""
    if config.bits is None:
        return {}
    return {
        "code": config.code_weight,
        "quantisation": config.quantisation_weight,
        "balance": config.balance_weight,
        "decorrelation": config.decorrelation_weight,
    }
