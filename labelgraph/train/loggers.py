"""Loggers by name: TensorBoard, Weights & Biases, and CSV files, all by Lightning."""

from __future__ import annotations

import csv
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelgraph._core.names import check_name
from labelgraph._core.reading import reading

if TYPE_CHECKING:
    from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger

LOGGERS = ("tensorboard", "wandb", "csv")
LOGS = "logs"
RUN_ID = "run-id"  # File with the id of a W&B run, so that a resumed training continues the run.


def check_logger(name: str, argument: str = "logger") -> None:
    """Check the name of a logger, before any data are read.

    Args:
        name: A name in `LOGGERS`. Each is also the name of the package, except for ``csv``, which needs none.
        argument: Name for error messages.

    Raises:
        ValueError: If no logger has this name.
        ImportError: If the package of the logger is not installed.

    Example:
        >>> from labelgraph.train.loggers import check_logger
        >>> check_logger("csv")
        >>> check_logger("cvs")
        Traceback (most recent call last):
            ...
        ValueError: 'logger' must be one of tensorboard, wandb, csv (got 'cvs'); did you mean 'csv'?
    """
    check_name(argument, name, LOGGERS)
    if name != "csv" and find_spec(name) is None:
        raise ImportError(f'{name} is not installed; install it by pip install "labelgraph[{name}]"')


def check_logger_place(logger: Any, folder: Any) -> None:
    """Check a logger that may be given by name, whose files need a folder.

    Raises:
        ValueError: If the name is unknown, or there is no folder.
        ImportError: If the package of the logger is not installed.
    """
    if isinstance(logger, str):
        check_logger(logger)
        if folder is None:
            raise ValueError(f"'folder' or 'log_folder' must be given for logger={logger!r} (got none)")


@contextmanager
def open_logger(
    name: str, folder: Path, step: int | None, settings: Mapping[str, Any], quiet: bool
) -> Iterator[Logger]:
    """Open a logger for one training, and close it at the end.

    A new training writes into ``folder/NAME/version_N`` with the next N. A resumed training continues the last version.

    Args:
        name: A name in `LOGGERS`.
        folder: Folder for the logs of all versions.
        step: Number of optimiser steps of the checkpoint that the training resumes from. ``None`` for a new training.
            Entries from this step on, which an interrupted epoch may have logged, are dropped.
        settings: Hyperparameters to log, by group.
        quiet: Do not print the messages of W&B.

    Raises:
        ValueError: If W&B cannot start the run, for example without an API key.
    """
    check_logger(name)
    version = _version(folder / name, step)
    opened: Logger
    if name == "wandb":
        opened = _wandb(folder / name / f"version_{version}", settings["method"], quiet)
    elif name == "tensorboard":
        from lightning.pytorch.loggers import TensorBoardLogger

        opened = TensorBoardLogger(folder, name, version, default_hp_metric=False, purge_step=step)
    else:
        opened = _continued_csv(folder, name, version, step)
    opened.log_hyperparams(dict(settings))
    try:
        yield opened
    finally:
        if name == "wandb":  # W&B would log the next training of this process into the same run.
            opened.experiment.finish()


def _version(folder: Path, step: int | None) -> int:
    """The number of the version to write: the last one for a resumed training, otherwise the next one."""
    numbers = [path.name.removeprefix("version_") for path in folder.glob("version_*")]
    last = max((int(number) for number in numbers if number.isdecimal()), default=-1)
    return last + 1 if step is None or last < 0 else last


def _continued_csv(folder: Path, name: str, version: int, step: int | None) -> CSVLogger:
    """Create Lightning's CSV logger, which starts a new file, and log the rows of the old file again."""
    from lightning.pytorch.loggers import CSVLogger

    logger = CSVLogger(folder, name=name, version=version)
    path = Path(logger.log_dir) / "metrics.csv"
    rows: list[dict[str, Any]] = []
    if step is not None and path.is_file():
        with reading(path, "metrics of a training"), path.open(encoding="utf-8", newline="") as file:
            rows = [{key: value for key, value in row.items() if value} for row in csv.DictReader(file)]
            rows = [row for row in rows if int(row["step"]) < step]
    for row in rows:
        logger.log_metrics(row, int(row.pop("step")))
    logger.save()
    return logger


def _wandb(folder: Path, method: str, quiet: bool) -> WandbLogger:
    """Start a W&B run, or continue the run whose id is in the folder."""
    import wandb
    from lightning.pytorch.loggers import WandbLogger

    path, is_new = folder / RUN_ID, not folder.exists()
    run_id = path.read_text(encoding="utf-8").strip() if path.is_file() else uuid.uuid4().hex
    # The output in the terminal is not uploaded.
    settings = wandb.Settings(silent=quiet, console="off")
    options: dict[str, Any] = {"id": run_id, "resume": "allow", "settings": settings}
    project = os.environ.get("WANDB_PROJECT", "labelgraph")
    logger = WandbLogger(name=method, save_dir=folder, project=project, **options)
    try:
        _ = logger.experiment  # This starts the run.
    except wandb.Error as error:
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)  # The next training would count it as a version.
        cause = " ".join(str(error).split())
        raise ValueError(
            f"'logger' wandb cannot start a run ({cause}); run wandb login, or set WANDB_MODE=offline"
        ) from error
    path.write_text(run_id, encoding="ascii")
    return logger
