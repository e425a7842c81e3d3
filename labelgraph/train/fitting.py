"""Resumable training of a method with one seed."""

from __future__ import annotations

import logging
import math
import statistics
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, LearningRateMonitor
from lightning.pytorch.loggers import Logger

from labelgraph._core.argument_kinds import as_path, check_kind
from labelgraph._core.checked_config import Limit, check_value
from labelgraph._core.devices import as_device
from labelgraph._core.packed_bits import NonFiniteError
from labelgraph._core.similarity import unit_length
from labelgraph.data import CrossModalData
from labelgraph.data.pairs import check_pairs
from labelgraph.inference import held_out_scores
from labelgraph.methods import METHODS, Method
from labelgraph.methods.model_folder import refusing
from labelgraph.train.callbacks import EpochSeed, FolderCheckpoint, History, Patience, TrainingBar
from labelgraph.train.checkpoint import SafetensorsCheckpointIO
from labelgraph.train.datamodule import CrossModalDataModule
from labelgraph.train.launch import by_first, check_processes, is_first, join_processes, wait_for_all
from labelgraph.train.loggers import LOGGERS, LOGS, check_logger, open_logger
from labelgraph.train.module import MONITOR, RetrievalModule
from labelgraph.train.process import interruptible
from labelgraph.train.rare_labels import learn_names, learn_references
from labelgraph.train.settings import TrainConfig
from labelgraph.train.table_steps import averaging_of

Seed = Annotated[int, Limit("a whole number from 0 to 4294967295", lambda value: 0 <= value < 2**32)]
HISTORY, BEST, LAST = "history.csv", "best", "last"


@dataclass(frozen=True)
class FitResult:
    """Result of a training.

    Args:
        history: A row for each epoch, with the mean of each loss term and mAP on the validation split.
        best_epoch: Epoch of the weights that the method has now, counted from 0.
        best_map: mAP of the best epoch on the validation split, averaged over both directions. ``None`` without a
            validation split.
        seconds: Total time of all epochs, including epochs before an interruption.
        epoch_seconds: Median time of an epoch, including validation.
        peak_bytes: Peak memory in bytes, see `peak_memory`. ``None`` if the system does not report it.
    """

    history: list[dict[str, float]]
    best_epoch: int
    best_map: float | None
    seconds: float
    epoch_seconds: float
    peak_bytes: int | None

    @property
    def improving(self) -> bool:
        """Whether the last epoch has the best mAP, so that more epochs may give a better model."""
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
    unseen_labels: bool = False,
    callbacks: tuple[Callback, ...] = (),
    logger: Logger | str | bool | None = None,
    log_folder: str | Path | None = None,
    trainer_options: Mapping[str, Any] | None = None,
) -> FitResult:
    """Train a method, load the weights of its best epoch, and calibrate it.

    The best epoch has the highest mAP on the split ``config.select``. If ``folder`` has a checkpoint of an interrupted
    training, the training resumes from it. The result is the same as without the interruption. At the end, the
    checkpoints are deleted, unless ``keep_checkpoints`` is set.

    With ``config.devices`` or ``config.num_nodes`` above 1, a launcher such as torchrun must call this function in one
    process for each device, and all processes must see ``folder``. The process with rank 0 writes the files. All
    processes end with the same trained method.

    Args:
        method: Method to train, in place. Build it after ``torch.manual_seed(seed)`` to make a run repeatable.
        data: Data with the split ``train`` and the split ``config.select``.
        config: Settings of the training.
        folder: Folder for the checkpoints and ``history.csv``.
        seed: Seed of the order of items and of the random numbers in training.
        progress: Show a progress bar.
        fill_missing: Let the method generate the missing sides of incomplete items. By default, missing sides are
            zeros.
        keep_checkpoints: Do not delete the checkpoints. The caller can delete them after saving the method.
        unseen_labels: Allow labels without a training item.
        callbacks: Lightning callbacks of your own.
        logger: A logger for the loss terms, mAP and learning rates of each epoch: ``"tensorboard"``, ``"wandb"`` or
            ``"csv"``, or a Lightning logger. ``True`` uses Lightning's default logger.
        log_folder: Folder for the files of a logger that is given by name. A resumed training continues the files.
            Defaults to ``logs`` in ``folder``.
        trainer_options: Further options of ``lightning.Trainer``, such as ``{"gradient_clip_val": 1.0}``. Options that
            ``config`` sets are not allowed.

    Raises:
        ValueError: If the data do not fit, see `CrossModalDataModule`; if training items are incomplete and the method
            has no generators; if ``config`` sets an option in ``trainer_options``; if a checkpoint does not fit; or if
            the number of processes is not the number of devices.
        ImportError: If the package of the logger is not installed.
        NonFiniteError: If a loss term, a parameter, a buffer or an embedding becomes NaN or infinite. The message names
            the folder.
    """
    _check_kinds(method, data, config, logger, trainer_options)
    check_processes(config)
    check_value("seed", seed, Seed)
    check_callbacks(callbacks)
    check_device(config.device)
    check_incomplete(method, data)
    method.encoders, method._source = data.encoders, None
    vectors = data.label_vectors
    method.label_vectors = None if vectors is None else unit_length(vectors.float()).half().cpu()
    folder = as_path("folder", folder)
    join_processes()
    folder.mkdir(parents=True, exist_ok=True)
    size = _batch_size(config, len(data.rows("train")))
    batches = CrossModalDataModule(
        data,
        size,
        seed,
        config.select,
        interleave=fill_missing,
        reads_labels=method.reads_labels,
        sparse_labels=method.takes_sparse_labels,
        unseen_labels=unseen_labels,
    )
    learn_names(method, data)
    # A loaded method is in evaluation mode, and Lightning does not change the mode.
    module = RetrievalModule(method, config, fill_missing).train()
    history = History(folder / HISTORY)
    bar = [TrainingBar(f"{method.name}, seed {seed}")] if progress and is_first() else []
    logger = logger if is_first() else None
    last = _checkpoint(folder, LAST, every_n_epochs=config.checkpoint_every)
    with _quiet(), interruptible():
        averaging = [averaging_of(method, config.ema_decay)] if config.ema_decay else []
        own = [EpochSeed(seed), *averaging, history, *_selecting(config, folder), last, *bar, *callbacks]
        trainer = _trainer(config, own, logger, trainer_options or {})
        checkpoint = by_first(lambda: _unfinished(config, folder))
        about = {"method": method.name, "seed": seed, "model": vars(method.config), "train": vars(config)}
        logs = as_path("log_folder", log_folder or folder / LOGS)
        with _naming_checkpoint(folder / f"{LAST}.ckpt"), _logging(trainer, logger, logs, checkpoint, about):
            trainer.fit(module, batches, ckpt_path=checkpoint)
    wait_for_all()
    _take_best(module, folder)
    learn_references(method, data)
    if method.scores_labels and config.select != "last":
        method.calibrate(held_out_scores(method, data.split(config.select)))
    wait_for_all()
    if not keep_checkpoints and is_first():
        # Delete the last checkpoint first: a training that resumes from it needs the best checkpoint as well.
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


def _check_kinds(method: Any, data: Any, config: Any, logger: Any, trainer_options: Any) -> None:
    check_kind("method", method, Method, "a method, such as build_method returns")
    check_pairs("data", data)
    check_kind("config", config, TrainConfig, "a TrainConfig")
    if isinstance(logger, str):
        check_logger(logger)
    kinds = (bool, str, Logger, type(None))
    check_kind("logger", logger, kinds, f"one of {', '.join(LOGGERS)}, a Lightning logger, True or False")
    options = (Mapping, type(None))
    check_kind("trainer_options", trainer_options, options, "a mapping of options of lightning.Trainer")


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


SMALLEST_BATCH = 32  # Pairs. Losses that compare the pairs of a batch need at least some pairs.


def _batch_size(config: TrainConfig, num_items: int) -> int:
    """Return the batch size. With ``config.min_batches``, batches are small enough for it, and of equal sizes."""
    if not config.min_batches:
        return config.batch_size
    # A last batch of a few pairs would be a step as long as all others, in a direction that is mostly noise.
    fewest = math.ceil(num_items / config.batch_size)
    most = max(1, round(num_items / min(SMALLEST_BATCH, config.batch_size)))
    return math.ceil(num_items / max(fewest, min(config.min_batches, most)))


def _trainer(
    config: TrainConfig, callbacks: list[Callback], logger: Logger | str | bool | None, options: Mapping[str, Any]
) -> L.Trainer:
    """Create Lightning's trainer with the checkpoints, logger and progress bar of this library.

    `_logging` opens a logger that is given by name.
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
def _logging(
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
def _naming_checkpoint(path: Path) -> Iterator[None]:
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


def _unfinished(config: TrainConfig, folder: Path) -> Path | None:
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


def _take_best(module: RetrievalModule, folder: Path) -> None:
    """Load the weights of the best epoch, unless the last epoch is used."""
    best = folder / f"{BEST}.ckpt"
    if best.exists():
        checkpoint = SafetensorsCheckpointIO().load_checkpoint(best)
        with refusing(best, "a checkpoint of this training"):
            module.load_state_dict(checkpoint["state_dict"])
    module.eval()


def check_incomplete(method: Method | type[Method], data: CrossModalData) -> None:
    """Check that a method can train on the split ``train``, whose items may have missing sides.

    Raises:
        ValueError: If items have missing sides, and the method has no generators.
    """
    if not data.present[data.rows("train")].all() and not method.generates:
        with_generators = ", ".join(name for name, other in METHODS.items() if other.generates)
        raise ValueError(
            f"'method' must have generators for training items that lack a side; choose one of {with_generators} "
            f"(got {method.name!r}, which has none)"
        )


def check_callbacks(callbacks: Any) -> None:
    """Check Lightning callbacks.

    Raises:
        ValueError: If the argument is not a list or tuple of callbacks.
    """
    check_kind("callbacks", callbacks, (list, tuple), "a list of Lightning callbacks")
    for callback in callbacks:
        check_kind("callbacks", callback, Callback, "a list of Lightning callbacks")


def check_device(device: str) -> None:
    """Check that a device is available; ``auto`` is one that is.

    Raises:
        ValueError: If torch does not find the device.
    """
    if device != "auto":
        as_device(device)


def _checkpoint(folder: Path, name: str, **options: object) -> FolderCheckpoint:
    # Saved at the end of the epoch, so that the history in the checkpoint includes this epoch.
    return FolderCheckpoint(
        folder,
        name,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
        **options,  # type: ignore[arg-type]
    )


def _selecting(config: TrainConfig, folder: Path) -> list[Callback]:
    """Create the callbacks that save the best epoch, and stop when mAP no longer improves."""
    if config.select == "last":
        return []
    best = _checkpoint(folder, BEST, monitor=MONITOR, mode="max", save_weights_only=True)
    return [Patience(config.patience, config.min_steps), best] if config.patience else [best]


@contextmanager
def _quiet() -> Iterator[None]:
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
