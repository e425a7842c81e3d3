"""Hash heads on a label-graph method: codes beside its embeddings, and the losses that make them good bits."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from labelgraph.losses import balance_loss, decorrelation_loss, joint_pairwise_loss, quantisation_loss
from labelgraph.nn import HashHead


@dataclass(frozen=True)
class HashConfig:
    """Hyper-parameters of hash heads.

    Args:
        bits: Length of the codes to search by; none searches by embeddings.
        relaxation: ``"tanh"`` with a scale that grows by epoch, or ``"straight-through"``.
        code_weight: Weight of the pairwise loss of the codes, as of ALGCN's embeddings.
        quantisation_weight: Weight of their distance from -1 and 1.
        balance_weight: Weight of bits that are on too often or too seldom.
        decorrelation_weight: Weight of bits that tell the same.
    """

    bits: int | None = None
    relaxation: str = "tanh"
    code_weight: float = 1.0
    quantisation_weight: float = 0.1
    balance_weight: float = 0.1
    decorrelation_weight: float = 0.1


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
