"""Training by Lightning: what to train with, the module, the data, the run of one seed."""

from labelgraph.train.config import TrainConfig
from labelgraph.train.datamodule import Batch, CrossModalDataModule
from labelgraph.train.embed import embed, encode
from labelgraph.train.fit import FitResult, check_device, check_incomplete, fit
from labelgraph.train.memory import peak_memory, reset_peak_memory
from labelgraph.train.module import NonFiniteLossError, RetrievalModule

__all__ = [
    "Batch",
    "CrossModalDataModule",
    "FitResult",
    "NonFiniteLossError",
    "RetrievalModule",
    "TrainConfig",
    "check_device",
    "check_incomplete",
    "embed",
    "encode",
    "fit",
    "peak_memory",
    "reset_peak_memory",
]
