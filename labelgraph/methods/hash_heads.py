"""Hash heads of a method, which turn embeddings into binary codes, and the losses of the codes."""

from __future__ import annotations

from torch import Tensor, nn

from labelgraph.losses import balance_loss, decorrelation_loss, joint_pairwise_loss, quantisation_loss
from labelgraph.methods.configs import HashConfig
from labelgraph.nn import HashHead


def hash_heads(config: HashConfig, hidden_channels: int) -> dict[str, nn.Module]:
    """Build a hash head for each side, or none if ``config.bits`` is ``None``."""
    if config.bits is None:
        return {}
    return {side: HashHead(hidden_channels, config.bits, config.relaxation) for side in ("image_hash", "text_hash")}


def hash_terms(outputs: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
    """Compute the losses of the codes by name, without weights. Outputs without codes have no losses."""
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
    """Return the weight of each term of `hash_terms`."""
    if config.bits is None:
        return {}
    return {
        "code": config.code_weight,
        "quantisation": config.quantisation_weight,
        "balance": config.balance_weight,
        "decorrelation": config.decorrelation_weight,
    }
