"""Lightning's trainer for a training of this library: its options, checkpoints and logger."""

from __future__ import annotations

import logging
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, LearningRateMonitor
from lightning.pytorch.loggers import Logger

from labelgraph._core.packed_bits import NonFiniteError
from labelgraph._core.reading import refusing
from labelgraph.train.callbacks import FolderCheckpoint, Patience, TrainingBar
from labelgraph.train.checkpoint import SafetensorsCheckpointIO
from labelgraph.train.loggers import open_logger
from labelgraph.train.module import MONITOR, RetrievalModule
from labelgraph.train.settings import TrainConfig

BEST, LAST = "best", "last"  # Names of the checkpoints.

# Options of Lightning's trainer that are set elsewhere.
ELSEWHERE = {
    "accelerator": "'device' of the TrainConfig", "precision": "'precision' of the TrainConfig",
    "max_epochs": "'epochs' of the TrainConfig", "min_steps": "'min_steps' of the TrainConfig",
    "callbacks": "'callbacks'", "logger": "'logger'", "enable_progress_bar": "'progress'",
    "devices": "'devices' of the TrainConfig", "num_nodes": "'num_nodes' of the TrainConfig",
    "strategy": "'strategy' of the TrainConfig", "plugins": "no option: checkpoints have one format",
    "use_distributed_sampler": "no option: the processes share the batches",
    "default_root_dir": "'folder'", "enable_checkpointing": "no option: the best epoch is kept in a checkpoint",
}  # fmt: skip


def build_trainer(
    config: TrainConfig, callbacks: list[Callback], logger: Logger | str | bool | None, options: Mapping[str, Any]
) -> L.Trainer:
    """Create Lightning's trainer with the checkpoints, logger and progress bar of this library.

    `logging_to` opens a logger that is given by name.
    """
    for name in options:
        if name in ELSEWHERE:
            raise ValueError(f"'trainer_options' must not have {name!r} (set by {ELSEWHERE[name]})")
    fixed = {
        "accelerator": config.device,
        "devices": config.devices,
        "num_nodes": config.num_nodes,
        "strategy": config.strategy,
        "use_distributed_sampler": False,
        "precision": config.precision,
        "max_epochs": config.epochs,
        "callbacks": [*callbacks, *([LearningRateMonitor("epoch")] if logger else [])],
        "plugins": [SafetensorsCheckpointIO()],
        "logger": False if isinstance(logger, str) else logger or False,
        "enable_progress_bar": False,
    }
    try:
        return L.Trainer(**{"num_sanity_val_steps": 0, "enable_model_summary": False, **options, **fixed})
    except TypeError as error:
        raise ValueError(f"'trainer_options' must be options of lightning.Trainer ({error})") from error


@contextmanager
def logging_to(
    trainer: L.Trainer, logger: Logger | str | bool | None, folder: Path, checkpoint: Path | None, about: dict[str, Any]
) -> Iterator[None]:
    """Open the logger of a training if it is given by name; a resumed training continues its log."""
    if not isinstance(logger, str):
        yield
        return
    step = None if checkpoint is None else int(SafetensorsCheckpointIO().load_checkpoint(checkpoint)["global_step"])
    quiet = not any(isinstance(callback, TrainingBar) for callback in trainer.callbacks)  # type: ignore[attr-defined]
    with open_logger(logger, folder, step, about, quiet) as trainer.logger:
        yield


@contextmanager
def naming_checkpoint(path: Path) -> Iterator[None]:
    """Turn an exception of Lightning's restore into one error that names the checkpoint.

    Raises:
        ValueError: In place of an exception that the content of the checkpoint causes.
        NonFiniteError: With the folder, because the weights of the checkpoint may be the cause.
    """
    try:
        yield
    except NonFiniteError as error:
        raise NonFiniteError(f"{path.parent}: {error}") from error
    except (OSError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
        restoring = any(
            "restore" in f.f_code.co_name and f.f_globals["__name__"].startswith("lightning.") for f in frames
        )
        if not restoring or str(error).startswith(f"{path}: "):
            raise
        cause = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(
            f"{path}: expected a checkpoint of this training (got {cause[:300]}); delete it to start again"
        ) from error


def unfinished(config: TrainConfig, folder: Path) -> Path | None:
    """The checkpoint to resume from, if there is one.

    The checkpoint of the last epoch remembers which epoch was the best, but not its weights. Without these the result
    would be the last epoch under the name of the best, so that the training starts over.
    """
    last, best = (folder / f"{name}.ckpt" for name in (LAST, BEST))
    if not last.exists():
        return None
    if config.select != "last" and not best.exists():
        warnings.warn(f"{best}: the weights of the best epoch are missing; the training starts over", stacklevel=3)
        return None
    return last


def take_best(module: RetrievalModule, folder: Path) -> None:
    """Load the weights of the best epoch, unless the last epoch is used."""
    best = folder / f"{BEST}.ckpt"
    if best.exists():
        checkpoint = SafetensorsCheckpointIO().load_checkpoint(best)
        with refusing(best, "a checkpoint of this training"):
            module.load_state_dict(checkpoint["state_dict"])
    module.eval()


def _checkpoint(folder: Path, name: str, **options: object) -> FolderCheckpoint:
    # Saved at the end of the epoch, so that the history in the checkpoint includes this epoch.
    return FolderCheckpoint(
        folder,
        name,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
        **options,  # type: ignore[arg-type]
    )


def saving(config: TrainConfig, folder: Path) -> list[Callback]:
    """Create the callbacks that save the last and the best epoch, and stop when mAP no longer improves."""
    last = _checkpoint(folder, LAST, every_n_epochs=config.checkpoint_every)
    if config.select == "last":
        return [last]
    best = _checkpoint(folder, BEST, monitor=MONITOR, mode="max", save_weights_only=True)
    return [Patience(config.patience, config.min_steps), best, last] if config.patience else [best, last]


def remove_checkpoints(folder: Path) -> None:
    """Delete the checkpoints: the last one first, because to resume from it needs the best one as well."""
    for name in (LAST, BEST):
        (folder / f"{name}.ckpt").unlink(missing_ok=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Hide Lightning's notes about hardware and worker processes, which would bury the output of this library."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        warnings.filterwarnings("ignore", ".*exists and is not empty.*")
        warnings.filterwarnings("ignore", ".*smaller than the logging interval.*")
        warnings.filterwarnings("ignore", ".*LeafSpec.*")
        warnings.filterwarnings("ignore", ".*sync_dist=True.*")
        try:
            yield
        finally:
            logger.setLevel(level)
