"""Resumable training of a method with one seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger

from labelgraph._core.argument_kinds import as_path, check_kind
from labelgraph._core.checked_config import Limit, check_value
from labelgraph._core.devices import as_device
from labelgraph._core.similarity import unit_length
from labelgraph.data import CrossModalData
from labelgraph.data.pairs import check_pairs
from labelgraph.inference import held_out_scores
from labelgraph.methods import METHODS, Method
from labelgraph.train.callbacks import EpochSeed, History, TrainingBar
from labelgraph.train.datamodule import CrossModalDataModule
from labelgraph.train.launch import by_first, check_processes, is_first, join_processes, wait_for_all
from labelgraph.train.loggers import LOGGERS, LOGS, check_logger
from labelgraph.train.module import MONITOR, RetrievalModule
from labelgraph.train.process import interruptible
from labelgraph.train.rare_labels import learn_names, learn_references
from labelgraph.train.settings import TrainConfig
from labelgraph.train.table_steps import averaging_of
from labelgraph.train.trainer import (
    LAST,
    build_trainer,
    logging_to,
    naming_checkpoint,
    quiet,
    remove_checkpoints,
    saving,
    take_best,
    unfinished,
)

Seed = Annotated[int, Limit("a whole number from 0 to 4294967295", lambda value: 0 <= value < 2**32)]
HISTORY = "history.csv"


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
        unseen_labels: Allow labels without a training item. A method that takes many labels always does.
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
    folder = as_path("folder", folder)
    join_processes()
    folder.mkdir(parents=True, exist_ok=True)
    batches = _batches(method, data, config, seed, fill_missing, unseen_labels)
    _prepare(method, data)
    # A loaded method is in evaluation mode, and Lightning does not change the mode.
    module = RetrievalModule(method, config, fill_missing).train()
    history = History(folder / HISTORY)
    bar = [TrainingBar(f"{method.name}, seed {seed}")] if progress and is_first() else []
    with quiet(), interruptible():
        own = [EpochSeed(seed), *_averaging(method, config), history, *saving(config, folder), *bar, *callbacks]
        logger = logger if is_first() else None
        trainer = build_trainer(config, own, logger, trainer_options or {})
        checkpoint = by_first(lambda: unfinished(config, folder))
        about = {"method": method.name, "seed": seed, "model": vars(method.config), "train": vars(config)}
        logs = as_path("log_folder", log_folder or folder / LOGS)
        with naming_checkpoint(folder / f"{LAST}.ckpt"), logging_to(trainer, logger, logs, checkpoint, about):
            trainer.fit(module, batches, ckpt_path=checkpoint)
    wait_for_all()
    take_best(module, folder)
    _finish(method, data, config)
    if not keep_checkpoints and is_first():
        remove_checkpoints(folder)
    return _result(history)


def _batches(
    method: Method, data: CrossModalData, config: TrainConfig, seed: int, fill_missing: bool, unseen_labels: bool
) -> CrossModalDataModule:
    return CrossModalDataModule(
        data,
        _batch_size(config, len(data.rows("train"))),
        seed,
        config.select,
        interleave=fill_missing,
        reads_labels=method.reads_labels,
        sparse_labels=method.takes_sparse_labels,
        unseen_labels=unseen_labels or method.takes_sparse_labels,
    )


def _prepare(method: Method, data: CrossModalData) -> None:
    """Let the method keep what a search needs of the data, and read the label names."""
    method.encoders, method._source = data.encoders, None
    vectors = data.label_vectors
    method.label_vectors = None if vectors is None else unit_length(vectors.float()).half().cpu()
    learn_names(method, data)


def _averaging(method: Method, config: TrainConfig) -> list[Callback]:
    return [averaging_of(method, config.ema_decay)] if config.ema_decay else []


def _finish(method: Method, data: CrossModalData, config: TrainConfig) -> None:
    """Learn what follows the training: the references, and the calibration by held-out items."""
    learn_references(method, data)
    if method.scores_labels and config.select != "last":
        method.calibrate(held_out_scores(method, data.split(config.select)))
    wait_for_all()


def _result(history: History) -> FitResult:
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


SMALLEST_BATCH = 32  # Pairs. Losses that compare the pairs of a batch need at least some pairs.


def _batch_size(config: TrainConfig, num_items: int) -> int:
    """Return the batch size. With ``config.min_batches``, batches are small enough for it, and of equal sizes."""
    if not config.min_batches:
        return config.batch_size
    # A last batch of a few pairs would be a step as long as all others, in a direction that is mostly noise.
    fewest = math.ceil(num_items / config.batch_size)
    most = max(1, round(num_items / min(SMALLEST_BATCH, config.batch_size)))
    return math.ceil(num_items / max(fewest, min(config.min_batches, most)))


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
