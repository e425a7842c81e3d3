"""Training with Lightning: settings, the LightningModule, the DataModule, and resumable training."""

from typing import TYPE_CHECKING

from labelgraph._core.lazy import lazy_exports

if TYPE_CHECKING:
    from labelgraph._core.packed_bits import NonFiniteError
    from labelgraph.train.datamodule import Batch, CrossModalDataModule
    from labelgraph.train.fitting import FitResult, check_device, check_incomplete, fit
    from labelgraph.train.module import RetrievalModule
    from labelgraph.train.process import peak_memory, reset_peak_memory
    from labelgraph.train.recipe import TrainedMethod, train_method, training_graph
    from labelgraph.train.settings import (
        TrainConfig,
        as_plain,
        build_settings,
        describe_settings,
        merge_settings,
        parse_setting,
        published_settings,
        setting_names,
    )

__all__ = [
    "Batch",
    "CrossModalDataModule",
    "FitResult",
    "NonFiniteError",
    "RetrievalModule",
    "TrainConfig",
    "TrainedMethod",
    "as_plain",
    "build_settings",
    "check_device",
    "check_incomplete",
    "describe_settings",
    "fit",
    "merge_settings",
    "parse_setting",
    "peak_memory",
    "published_settings",
    "reset_peak_memory",
    "setting_names",
    "train_method",
    "training_graph",
]

__getattr__, __dir__ = lazy_exports(__name__)
