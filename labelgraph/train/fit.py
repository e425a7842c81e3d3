"""The training of one seed, resumable."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch import Tensor

from labelgraph.data import CrossModalData
from labelgraph.methods import Method
from labelgraph.train.callbacks import EpochSeed, History, TrainingBar
from labelgraph.train.checkpoint import SafetensorsCheckpointIO
from labelgraph.train.config import TrainConfig
from labelgraph.train.datamodule import CrossModalDataModule
from labelgraph.train.module import MONITOR, RetrievalModule

HISTORY, BEST, LAST = "history.csv", "best", "last"


@dataclass(frozen=True)
class FitResult:
    """What a training gave.

    Args:
        history: A row an epoch: mean of each loss term, and mAP on the items to choose on.
        best_epoch: The epoch whose weights the method has now, from 0.
        best_map: Its mAP on the items to choose on, both ways averaged.
        seconds: Time spent in epochs, those before an interruption included.
    """

    history: list[dict[str, float]]
    best_epoch: int
    best_map: float
    seconds: float


def fit(
    method: Method,
    data: CrossModalData,
    config: TrainConfig,
    folder: str | Path,
    *,
    seed: int = 0,
    progress: bool = True,
    callbacks: tuple[Callback, ...] = (),
) -> FitResult:
    """Train a method, choose its best epoch by mAP on the split ``config.select``, and load its weights.

    If ``folder`` holds a checkpoint of an interrupted training, it goes on from there, and ends as if it
    had not been interrupted. Checkpoints are deleted once the training is done.

    Args:
        method: What to train, in place; build it after ``torch.manual_seed(seed)`` to repeat a run.
        data: Data with the splits ``train`` and ``config.select``.
        config: How to train.
        folder: For the checkpoints and ``history.csv``.
        seed: Of the order of items and of all that is drawn in training.
        progress: Show a progress bar.
        callbacks: Lightning callbacks of your own.

    Raises:
        ValueError: If the data cannot be learned from, see `CrossModalDataModule`.
        NonFiniteLossError: If a loss term becomes NaN or infinite.
    """
    check_device(config.device)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    batches = CrossModalDataModule(data, config.batch_size, seed, config.select)
    module = RetrievalModule(method, config).train()  # Lightning would leave a loaded method in evaluation mode.
    history = History(folder / HISTORY)
    bar = [TrainingBar(f"{method.name}, seed {seed}")] if progress else []
    best = _checkpoint(folder, BEST, monitor=MONITOR, mode="max", save_weights_only=True)
    last = _checkpoint(folder, LAST, every_n_epochs=config.checkpoint_every)
    with _quiet():
        trainer = _trainer(config, [EpochSeed(seed), history, *_stopping(config), best, last, *bar, *callbacks])
        unfinished = folder / f"{LAST}.ckpt"
        trainer.fit(module, batches, ckpt_path=unfinished if unfinished.exists() else None)
    _take_best(module, folder)
    values = [row[MONITOR] for row in history.rows]
    best_epoch = values.index(max(values))
    return FitResult(history.rows, best_epoch, values[best_epoch], history.seconds)


def _trainer(config: TrainConfig, callbacks: list[Callback]) -> L.Trainer:
    """Lightning's trainer, without the parts that this library has its own of."""
    return L.Trainer(
        accelerator=config.device,
        devices=1,
        precision=config.precision,
        max_epochs=config.epochs,
        callbacks=callbacks,
        plugins=[SafetensorsCheckpointIO()],
        logger=False,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=False,
    )


def _take_best(module: RetrievalModule, folder: Path) -> None:
    """Load the weights of the best epoch, and delete the checkpoints."""
    module.load_state_dict(SafetensorsCheckpointIO().load_checkpoint(folder / f"{BEST}.ckpt")["state_dict"])
    module.eval()
    for name in (BEST, LAST):
        (folder / f"{name}.ckpt").unlink(missing_ok=True)


def check_device(device: str) -> None:
    """Tell early whether a device is there.

    Raises:
        ValueError: If it is not.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device, True):
        raise ValueError(f"'device' must be one that this machine has (got {device!r}, which torch does not find)")


@torch.inference_mode()
def encode(method: Method, data: CrossModalData, batch_size: int = 4096) -> tuple[Tensor, Tensor]:
    """Embed the images and the texts of a data set, block by block; gives two tensors (N, H) on the CPU."""
    device = next(method.parameters()).device
    blocks = [slice(start, start + batch_size) for start in range(0, len(data), batch_size)]
    images = [method.encode_image(data.image[block].to(device)).cpu() for block in blocks]
    texts = [method.encode_text(data.text_rows(block).to(device)).cpu() for block in blocks]
    return torch.cat(images), torch.cat(texts)


def _checkpoint(folder: Path, name: str, **options: object) -> ModelCheckpoint:
    # At the end of the epoch, so that the history in the checkpoint has the row of this epoch.
    return ModelCheckpoint(
        folder,
        name,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
        **options,  # type: ignore[arg-type]
    )


def _stopping(config: TrainConfig) -> list[Callback]:
    if not config.patience:
        return []
    return [EarlyStopping(MONITOR, patience=config.patience, mode="max", check_on_train_epoch_end=True)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's notes on hardware and worker processes from drowning what matters."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        warnings.filterwarnings("ignore", ".*exists and is not empty.*")
        warnings.filterwarnings("ignore", ".*smaller than the logging interval.*")
        warnings.filterwarnings("ignore", ".*LeafSpec.*")
        try:
            yield
        finally:
            logger.setLevel(level)
