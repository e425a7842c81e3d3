"""Lightning callbacks: history, progress bar, early stopping, and a random seed for each epoch."""

from __future__ import annotations

import csv
import math
import time
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from labelgraph._core.files import open_atomic
from labelgraph._core.progress import progress_bar
from labelgraph.train.datamodule import epoch_seed
from labelgraph.train.module import MONITOR
from labelgraph.train.process import peak_memory, reset_peak_memory

FEWEST_EPOCHS = 3  # An epoch of a large set may have more steps than the patience, and mAP fluctuates.


class FolderCheckpoint(ModelCheckpoint):
    """Saves checkpoints into a folder that may be moved before a training resumes.

    Lightning forgets the best score when the folder has another path than before: a later, worse epoch would then take
    the place of the best. File names are therefore read relative to the present folder, and no file outside is touched.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best score and the names of the files from a checkpoint."""

        def here(path: str) -> str:
            return str(Path(self.dirpath or ".") / Path(path).name) if path else ""

        names = ("best_model_path", "kth_best_model_path", "last_model_path")
        moved: dict[str, Any] = {name: here(state_dict[name]) for name in names}
        moved["best_k_models"] = {here(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **moved, "dirpath": self.dirpath})


class History(L.Callback):
    """Records a row for each epoch, in a CSV file and in the checkpoints.

    Lightning's CSV logger starts a new file when a training resumes. This callback continues the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []
        self.seconds: list[float] = []
        self.peak_bytes: int | None = None
        self._started = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"rows": self.rows, "seconds": self.seconds, "peak_bytes": self.peak_bytes}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of a checkpoint.

        Raises:
            ValueError: If a row does not belong to its epoch.
        """
        rows, seconds = state_dict["rows"], state_dict["seconds"]
        if len(rows) != len(seconds) or any(row["epoch"] != epoch for epoch, row in enumerate(rows)):
            raise ValueError("the history must have a row and a time for every epoch")
        self.rows, self.seconds, self.peak_bytes = rows, [*map(float, seconds)], state_dict["peak_bytes"]

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Reset the measurement of peak memory."""
        reset_peak_memory(pl_module.device)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the timer of the epoch."""
        self._started = time.perf_counter()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Add the row of this epoch and rewrite the file."""
        # The rates that LearningRateMonitor adds for a logger are left out: with or without it, the rows are the same.
        metrics = {name: value.item() for name, value in trainer.callback_metrics.items() if not name.startswith("lr-")}
        self.rows.append({"epoch": trainer.current_epoch, **metrics})
        self.seconds.append(time.perf_counter() - self._started)
        peak = peak_memory(pl_module.device)
        self.peak_bytes = max(peak, self.peak_bytes or 0) if peak is not None else None
        if trainer.is_global_zero:
            write_rows(self.path, self.rows)


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows to a CSV file, atomically."""
    with open_atomic(path, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


class EpochSeed(L.Callback):
    """Seeds torch at the start of every epoch, so that a resumed training draws the same random numbers."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Seed the epoch."""
        torch.manual_seed(epoch_seed(self.seed, trainer.current_epoch))


class Patience(EarlyStopping):
    """Early stopping when mAP on the validation split no longer improves.

    A training that resumes from the epoch at which it stopped does not continue.

    Args:
        steps: Number of optimiser steps without a better mAP, rounded up to whole epochs, and at least 3 epochs.
        min_steps: Minimum number of optimiser steps before training can stop.
    """

    def __init__(self, steps: int, min_steps: int) -> None:
        super().__init__(MONITOR, mode="max", check_on_train_epoch_end=True)
        self.steps, self.min_steps = steps, min_steps

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Convert the patience to epochs, and stop at once if the patience had run out before the training resumed."""
        self.patience = max(FEWEST_EPOCHS, math.ceil(self.steps / trainer.num_training_batches))
        trainer.should_stop = trainer.should_stop or (
            self.wait_count >= self.patience and trainer.global_step >= self.min_steps
        )

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Count this epoch, and stop if the patience has run out."""
        before = trainer.should_stop
        super().on_train_epoch_end(trainer, pl_module)
        trainer.should_stop = before or (trainer.should_stop and trainer.global_step >= self.min_steps)


class TrainingBar(L.Callback):
    """Shows one progress bar for all steps of a training. In a log file, it writes a line every ten seconds.

    Lightning's progress bar starts again for every epoch and validation, which are too short to read on small sets.
    """

    def __init__(self, description: str) -> None:
        self.description = description
        self._bar: Any = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Show the bar, starting at the first step of this run."""
        steps = (trainer.max_epochs or 0) * int(trainer.num_training_batches)
        stops_early = any(isinstance(callback, Patience) for callback in trainer.callbacks)  # type: ignore[attr-defined]
        options: dict[str, Any] = {
            "total": None if stops_early else steps,
            "initial": trainer.global_step,
            "unit": "steps",
            "leave": False,
        }
        self._bar = progress_bar(self.description, **options)

    def on_train_batch_end(self, *_: Any) -> None:
        """Advance the bar by one step."""
        if self._bar is not None:
            self._bar.update()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Show the number of the epoch and its mAP."""
        if self._bar is not None:
            quality = trainer.callback_metrics.get(MONITOR)
            shown = "" if quality is None else f", mAP {quality.item():.3f}"
            self._bar.set_postfix_str(f"epoch {trainer.current_epoch + 1}{shown}", refresh=False)

    def on_train_end(self, *_: Any) -> None:
        """Close the bar."""
        self._close()

    def on_exception(self, *_: Any) -> None:
        """Close the bar."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
