"""Training by Lightning: what to train with, the module, the data, the run of one seed."""

from labelgraph.train.config import TrainConfig
from labelgraph.train.datamodule import Batch, CrossModalDataModule
from labelgraph.train.embed import embed, encode
from labelgraph.train.fit import FitResult, check_device, check_incomplete, fit
from labelgraph.train.label_scores import fit_calibrations, held_out_scores, label_scores, relevance_encoder
from labelgraph.train.memory import peak_memory, reset_peak_memory
from labelgraph.train.module import NonFiniteLossError, RetrievalModule
from labelgraph.train.settings import (
    as_plain,
    build_settings,
    describe_settings,
    merge_settings,
    parse_setting,
    setting_names,
)

__all__ = [
    "Batch",
    "CrossModalDataModule",
    "FitResult",
    "NonFiniteLossError",
    "RetrievalModule",
    "TrainConfig",
    "as_plain",
    "build_settings",
    "check_device",
    "check_incomplete",
    "describe_settings",
    "embed",
    "encode",
    "fit",
    "fit_calibrations",
    "held_out_scores",
    "label_scores",
    "merge_settings",
    "parse_setting",
    "peak_memory",
    "relevance_encoder",
    "reset_peak_memory",
    "setting_names",
]
