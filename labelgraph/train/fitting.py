"""The training of one seed, resumable."""

from __future__ import annotations

import logging
import os
import statistics
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import Logger

from labelgraph.data import CrossModalData
from labelgraph.inference import held_out_scores
from labelgraph.methods import METHODS, Method
from labelgraph.methods.model_folder import refusing
from labelgraph.train.callbacks import EpochSeed, History, Patience, TrainingBar
from labelgraph.train.checkpoint import SafetensorsCheckpointIO
from labelgraph.train.datamodule import CrossModalDataModule
from labelgraph.train.module import MONITOR, RetrievalModule
from labelgraph.train.process import interruptible
from labelgraph.train.settings import TrainConfig

HISTORY, BEST, LAST = "history.csv", "best", "last"


@dataclass(frozen=True)
class FitResult:
    """What a training gave.

    Args:
        history: A row an epoch: mean of each loss term, and mAP on the items to choose on.
        best_epoch: The epoch whose weights the method has now, from 0.
        best_map: Its mAP on the items to choose on, both ways averaged; none if none were.
        seconds: Time spent in epochs, those before an interruption included.
        epoch_seconds: Median time of an epoch, the choosing included.
        peak_bytes: Most memory that was held at a time, see `peak_memory`; none where it is not known.
    """

    history: list[dict[str, float]]
    best_epoch: int
    best_map: float | None
    seconds: float
    epoch_seconds: float
    peak_bytes: int | None

    @property
    def improving(self) -> bool:
        """Whether mAP was best in the last epoch, so that more epochs may help."""
        return self.best_map is not None and self.best_epoch == len(self.history) - 1


def fit(
    method: Method,
    data: CrossModalData,
    config: TrainConfig,
    folder: str | Path,
    *,
    seed: int = 0,
    progress: bool = True,
    fill_missing: bool = False,
    keep_checkpoints: bool = False,
    callbacks: tuple[Callback, ...] = (),
    logger: Logger | bool | None = None,
    trainer_options: Mapping[str, Any] | None = None,
) -> FitResult:
    """Train a method, choose its best epoch by mAP on the split ``config.select``, load its weights, and calibrate it.

    If ``folder`` holds a checkpoint of an interrupted training, it goes on from there, and ends as if it
    had not been interrupted. Checkpoints are deleted once the training is done, unless they are to be kept.

    Args:
        method: What to train, in place; build it after ``torch.manual_seed(seed)`` to repeat a run.
        data: Data with the splits ``train`` and ``config.select``.
        config: How to train.
        folder: For the checkpoints and ``history.csv``.
        seed: Of the order of items and of all that is drawn in training.
        progress: Show a progress bar.
        fill_missing: Let the method generate the missing sides of incomplete items; otherwise these are 0.
        keep_checkpoints: Leave them, for a caller that deletes them once the method is saved.
        callbacks: Lightning callbacks of your own.
        logger: A logger of Lightning, to which losses and mAP go by epoch; ``True`` takes Lightning's default.
        trainer_options: Further options of ``lightning.Trainer``, such as ``{"gradient_clip_val": 1.0}``; not those
            that ``config`` sets.

    Raises:
        ValueError: If the data cannot be learned from, see `CrossModalDataModule`, or have incomplete items
            that the method cannot take; or if an option of the trainer is one that ``config`` sets.
        NonFiniteError: If a loss term, or a number that the method keeps, becomes NaN or infinite.
    """
    check_process()
    check_device(config.device)
    check_incomplete(method, data)
    method.encoders = data.encoders
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    size = _batch_size(config, len(data.rows("train")))
    batches = CrossModalDataModule(
        data, size, seed, config.select, interleave=fill_missing, reads_labels=method.reads_labels
    )
    # Lightning would leave a loaded method in evaluation mode.
    module = RetrievalModule(method, config, fill_missing).train()
    history = History(folder / HISTORY)
    bar = [TrainingBar(f"{method.name}, seed {seed}")] if progress else []
    last = _checkpoint(folder, LAST, every_n_epochs=config.checkpoint_every)
    with _quiet(), interruptible():
        own = [EpochSeed(seed), history, *_choosing(config, folder), last, *bar, *callbacks]
        trainer = _trainer(config, own, logger, trainer_options or {})
        unfinished = folder / f"{LAST}.ckpt"
        with _naming_checkpoint(unfinished):
            trainer.fit(module, batches, ckpt_path=unfinished if unfinished.exists() else None)
    _take_best(module, folder)
    if method.scores_labels and config.select != "last":
        method.calibrate(held_out_scores(method, data.split(config.select)))
    if not keep_checkpoints:
        # The last one first: without it the training begins anew, but from it alone it would not know the best.
        for name in (LAST, BEST):
            (folder / f"{name}.ckpt").unlink(missing_ok=True)
    values = [row[MONITOR] for row in history.rows if MONITOR in row]
    best_epoch = values.index(max(values)) if values else len(history.rows) - 1
    return FitResult(
        history=history.rows,
        best_epoch=best_epoch,
        best_map=values[best_epoch] if values else None,
        seconds=sum(history.seconds),
        epoch_seconds=statistics.median(history.seconds),
        peak_bytes=history.peak_bytes,
    )


# Options of Lightning's trainer that have another place.
ELSEWHERE = {
    "accelerator": "'device' of the TrainConfig", "precision": "'precision' of the TrainConfig",
    "max_epochs": "'epochs' of the TrainConfig", "min_steps": "'min_steps' of the TrainConfig",
    "callbacks": "'callbacks'", "logger": "'logger'", "enable_progress_bar": "'progress'",
    "devices": "no option: a training runs on one device", "num_nodes": "no option: a training runs on one device",
    "strategy": "no option: a training runs on one device", "plugins": "no option: checkpoints are of one kind",
    "default_root_dir": "'folder'", "enable_checkpointing": "no option: the best epoch is kept in a checkpoint",
}  # fmt: skip


SMALLEST_BATCH = 32  # Pairs; losses that compare the pairs of a batch need some.


def _batch_size(config: TrainConfig, num_items: int) -> int:
    """Pairs a step: fewer than ``config.batch_size`` where an epoch would have fewer than ``config.min_batches``."""
    if not config.min_batches:
        return config.batch_size
    return min(config.batch_size, max(SMALLEST_BATCH, num_items // config.min_batches))


def _trainer(
    config: TrainConfig, callbacks: list[Callback], logger: Logger | bool | None, options: Mapping[str, Any]
) -> L.Trainer:
    """Lightning's trainer, without the parts that this library has its own of."""
    for name in options:
        if name in ELSEWHERE:
            raise ValueError(f"'trainer_options' must not have {name!r} (set by {ELSEWHERE[name]})")
    fixed = {
        "accelerator": config.device,
        "devices": 1,
        "precision": config.precision,
        "max_epochs": config.epochs,
        "callbacks": callbacks,
        "plugins": [SafetensorsCheckpointIO()],
        "logger": logger or False,
        "enable_progress_bar": False,
    }
    try:
        return L.Trainer(**{"num_sanity_val_steps": 0, "enable_model_summary": False, **options, **fixed})
    except TypeError as error:
        raise ValueError(f"'trainer_options' must be options of lightning.Trainer ({error})") from error


@contextmanager
def _naming_checkpoint(path: Path) -> Iterator[None]:
    """Turn an exception of Lightning's restore into one error that names the checkpoint.

    Raises:
        ValueError: In place of any exception that the content of the checkpoint causes.
    """
    try:
        yield
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
            f"{path}: expected a checkpoint of this training (got {cause[:300]}); delete it to begin anew"
        ) from error


def _take_best(module: RetrievalModule, folder: Path) -> None:
    """Load the weights of the best epoch, if one was chosen."""
    best = folder / f"{BEST}.ckpt"
    if best.exists():
        checkpoint = SafetensorsCheckpointIO().load_checkpoint(best)
        with refusing(best, "a checkpoint of this training"):
            module.load_state_dict(checkpoint["state_dict"])
    module.eval()


def check_incomplete(method: Method | type[Method], data: CrossModalData) -> None:
    """Tell early whether a method can train on a split ``train`` with items of which a side is missing.

    Raises:
        ValueError: If there are such items, and it has no generators.
    """
    if not data.present[data.rows("train")].all() and not method.generates:
        able = ", ".join(name for name, other in METHODS.items() if other.generates)
        raise ValueError(
            f"'method' must have generators for training items of which a side is missing, as {able} have "
            f"(got {method.name!r}, which has none)"
        )


def check_process() -> None:
    """Tell early that a training does not share its work with other processes.

    Raises:
        ValueError: If this process is one of several of a launcher such as ``torchrun``.
    """
    processes = os.environ.get("WORLD_SIZE", "1")
    if processes != "1":
        raise ValueError(
            f"a training runs in one process (got WORLD_SIZE={processes} from a launcher such as torchrun); start it "
            "without the launcher"
        )


def check_device(device: str) -> None:
    """Tell early whether a device is there.

    Raises:
        ValueError: If it is not.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device, True):
        raise ValueError(f"'device' must be one that this machine has (got {device!r}, which torch does not find)")


def _checkpoint(folder: Path, name: str, **options: object) -> ModelCheckpoint:
    # At the end of the epoch, so that the history in the checkpoint has the row of this epoch.
    return ModelCheckpoint(
        folder,
        name,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
        **options,  # type: ignore[arg-type]
    )


def _choosing(config: TrainConfig, folder: Path) -> list[Callback]:
    """What keeps the best epoch, and what stops when none better comes."""
    if config.select == "last":
        return []
    best = _checkpoint(folder, BEST, monitor=MONITOR, mode="max", save_weights_only=True)
    return [Patience(config.patience, config.min_steps), best] if config.patience else [best]


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
