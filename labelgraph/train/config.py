"""The settings of a training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TrainConfig:
    """How to train a method; it needs no Lightning to read.

    Args:
        epochs: Passes over the training items, at most.
        batch_size: Pairs a step.
        optimizer: ``adam`` or ``sgd``.
        lr: Base learning rate.
        betas: Decay rates of Adam.
        momentum: Of SGD.
        weight_decay: L2 penalty.
        patience: Epochs without a better mAP on ``select`` after which training stops; 0 never stops.
        checkpoint_every: Epochs between the checkpoints that a resumed run starts from.
        select: The split that the best epoch is chosen on; ``last`` takes the last epoch, and reads no
            label for it. Numbers of a run selected on ``test`` are marked so.
        device: ``auto``, ``cpu``, ``cuda``, ``mps``.
        precision: Of Lightning: ``32-true``, ``bf16-mixed``, ``16-mixed``, ``bf16-true`` or ``64-true``.
    """

    epochs: int = 30
    batch_size: int = 100
    optimizer: Literal["adam", "sgd"] = "adam"
    lr: float = 5e-5
    betas: tuple[float, float] = (0.5, 0.999)
    momentum: float = 0.0
    weight_decay: float = 0.0
    patience: int = 10
    checkpoint_every: int = 5
    select: Literal["validation", "test", "last"] = "validation"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "bf16-true", "64-true"] = "32-true"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"'{name}' must be at least 1 (got {getattr(self, name)})")
        if self.lr <= 0:
            raise ValueError(f"'lr' must be positive (got {self.lr})")
        if self.patience < 0:
            raise ValueError(f"'patience' must be at least 0 (got {self.patience})")
