"""Training by Lightning: what to train with, the module, the data, the run of one seed."""

from labelgraph.train.config import TrainConfig
from labelgraph.train.datamodule import CrossModalDataModule
from labelgraph.train.fit import FitResult, check_device, encode, fit
from labelgraph.train.module import NonFiniteLossError, RetrievalModule

__all__ = [
    "CrossModalDataModule",
    "FitResult",
    "NonFiniteLossError",
    "RetrievalModule",
    "TrainConfig",
    "check_device",
    "encode",
    "fit",
]
