"""What is trained for one seed: one model, or three where training items have a side missing."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.config import RunConfig
from labelgraph.data import CrossModalData, drop_modalities, keep_complete
from labelgraph.methods import method_class
from labelgraph.train import TrainConfig, check_incomplete

COMPLETE, ZEROS, GENERATED = "complete items alone", "missing sides as zeros", "missing sides generated"
VARIANTS = (None, COMPLETE, ZEROS, GENERATED)


@dataclass(frozen=True)
class Training:
    """One training.

    Args:
        data: Whose split ``train`` it learns from.
        config: How to train.
        variant: Its name, where there are several.
        start: The variant whose trained model it goes on from.
    """

    data: CrossModalData
    config: TrainConfig
    variant: str | None = None
    start: str | None = None


def training_data(config: RunConfig, data: CrossModalData) -> CrossModalData:
    """The data to train on, with sides taken away as the settings say.

    Raises:
        ValueError: If sides are missing and the method has no generators, or no item is complete.
    """
    if config.data.incomplete:
        data = drop_modalities(data, config.data.incomplete, config.data.image_only, config.data.seed)
    check_incomplete(method_class(config.method), data)
    if not data.present[data.rows("train")].all(1).any():
        raise ValueError("the split 'train' must have complete items (got none); a lower 'data.incomplete' leaves some")
    return data


def trainings(config: RunConfig, data: CrossModalData) -> list[Training]:
    """All trainings of a seed, in order.

    Of incomplete items (DAGNN, doi:10.1609/aaai.v35i3.16345): first with zeros in place of what is missing,
    then with what the generators make of the other side; and beside them the complete items alone, which
    shows what the others gain.
    """
    data = training_data(config, data)
    if data.present[data.rows("train")].all():
        return [Training(data, config.train)]
    if config.stage2 is None:
        raise ValueError(f"'stage2' must be set for incomplete training items (got none for {config.method!r})")
    return [
        Training(keep_complete(data), config.train, COMPLETE),
        Training(data, config.train, ZEROS),
        Training(data, config.stage2, GENERATED, start=ZEROS),
    ]
