"""Loggers by name: what they log, where, and how a resumed training continues the log."""

import csv
import importlib.util
import os

import lightning as L
import pytest

from labelgraph.train import train_method
from labelgraph.train.loggers import check_logger

FAST = {"epochs": 4, "batch_size": 10, "lr": 3e-3}
needs = {name: pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"{name} is not installed")
         for name in ("tensorboard", "wandb")}  # fmt: skip


@pytest.fixture
def data(make_data):
    return make_data()


@pytest.fixture
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


class Stop(Exception):
    pass


class StopIn(L.Callback):
    """Stops the training after an epoch was logged, before the next checkpoint."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_train_batch_start(self, trainer, *_):
        if trainer.current_epoch == self.epoch:
            raise Stop


def call(data, folder, logger, method="algcn", train=FAST, **options):
    how = {"progress": False, "train": train, "model": {"hidden_channels": 8}, **options}
    return train_method(method, data, folder=folder, logger=logger, **how)


def interrupted(data, folder, logger, **changed):
    """Train in two parts; the first part logs epochs 0 to 2 and keeps a checkpoint of epochs 0 and 1."""
    train = {**FAST, "checkpoint_every": 2}
    with pytest.raises(Stop):
        call(data, folder, logger, train=train, callbacks=[StopIn(3)])
    return call(data, folder, logger, train=train)


def read_csv(path):
    """The values of each metric by epoch, from the rows of the CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def column(rows, name):
    return [float(row[name]) for row in rows if row[name]]


def test_a_csv_file_has_the_losses_the_quality_and_the_rate_of_each_epoch(data, tmp_path):
    trained = call(data, tmp_path, "csv")
    rows = read_csv(tmp_path / "logs" / "train" / "csv" / "version_0" / "metrics.csv")
    for name in ("total", "validation_map", "image_to_text"):
        assert column(rows, name) == pytest.approx([row[name] for row in trained.result.history])
    assert len(trained.result.history) == 4
    rates = [name for name in rows[0] if name.startswith("lr-")]
    assert rates and column(rows, rates[0]) == pytest.approx([FAST["lr"]] * 4)
    settings = (tmp_path / "logs" / "train" / "csv" / "version_0" / "hparams.yaml").read_text()
    assert "lr: 0.003" in settings and "method: algcn" in settings


def test_the_logger_changes_neither_the_weights_nor_the_history(data, tmp_path):
    plain, logged = call(data, tmp_path / "plain", None), call(data, tmp_path / "logged", "csv")
    assert plain.result.history == logged.result.history
    for one, other in zip(plain.method.parameters(), logged.method.parameters(), strict=True):
        assert one.equal(other)


def test_a_resumed_training_continues_the_csv_file_and_a_new_one_starts_a_file(data, tmp_path):
    whole = call(data, tmp_path / "whole", "csv")
    interrupted(data, tmp_path / "parts", "csv")
    logs = [tmp_path / name / "logs" / "train" / "csv" for name in ("whole", "parts")]
    one, other = (read_csv(path / "version_0" / "metrics.csv") for path in logs)
    assert one == other
    assert column(other, "validation_map") == pytest.approx([row["validation_map"] for row in whole.result.history])
    assert [path.name for path in logs[1].iterdir()] == ["version_0"]
    call(data, tmp_path / "parts", "csv")
    assert sorted(path.name for path in logs[1].iterdir()) == ["version_0", "version_1"]
    assert read_csv(logs[1] / "version_1" / "metrics.csv") == one


@needs["tensorboard"]
def test_tensorboard_reads_one_curve_of_a_resumed_training(data, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trained = interrupted(data, tmp_path, "tensorboard")
    (place,) = (tmp_path / "logs" / "train" / "tensorboard").iterdir()
    events = EventAccumulator(str(place)).Reload()
    for name in ("total", "validation_map"):
        values = [event.value for event in events.Scalars(name)]
        assert values == pytest.approx([row[name] for row in trained.result.history], rel=1e-6)
    rates = [tag for tag in events.Tags()["scalars"] if tag.startswith("lr-")]
    assert [event.value for event in events.Scalars(rates[0])] == pytest.approx([FAST["lr"]] * 4)


@pytest.mark.slow
@needs["wandb"]
def test_wandb_writes_one_run_per_training_offline(data, tmp_path, offline):
    interrupted(data, tmp_path, "wandb")
    (place,) = (tmp_path / "logs" / "train" / "wandb").iterdir()
    run_id = (place / "run-id").read_text()
    runs = list((place / "wandb").glob("offline-run-*"))
    assert runs and all(run.name.endswith(run_id) for run in runs)
    call(data, tmp_path / "next", "wandb")
    (other,) = (tmp_path / "next" / "logs" / "train" / "wandb").iterdir()
    assert (other / "run-id").read_text() != run_id
    assert not os.environ.get("WANDB_API_KEY")


@needs["wandb"]
def test_a_run_that_wandb_cannot_start_is_one_line_and_leaves_no_version(data, tmp_path, offline, monkeypatch):
    import wandb

    def fail(*_, **__):
        raise wandb.errors.UsageError("No API key\n configured.")

    monkeypatch.setattr(wandb, "init", fail)
    with pytest.raises(
        ValueError, match=r"'logger' wandb cannot start a run \(No API key configured.*WANDB_MODE=offline"
    ):
        call(data, tmp_path, "wandb")
    assert not list((tmp_path / "logs").rglob("version_*"))


def test_each_stage_has_its_own_log(make_data, tmp_path):
    from labelgraph.data import drop_modalities

    model = {"hidden_channels": 8, "text_generator_channels": 8, "image_generator_channels": 8}
    data = drop_modalities(make_data(), 0.4)
    options = {"train": {**FAST, "epochs": 1}, "stage2": {**FAST, "epochs": 1}, "model": model}
    call(data, tmp_path / "run", "csv", "dagnn", log_folder=tmp_path / "logs", **options)
    for stage in ("train", "stage2"):
        assert column(read_csv(tmp_path / "logs" / stage / "csv" / "version_0" / "metrics.csv"), "total")


def test_wrong_loggers_are_named(data, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"'logger' must be one of .*'cvs'.*did you mean 'csv'"):
        call(data, tmp_path / "run", "cvs")
    with pytest.raises(ValueError, match="'folder' or 'log_folder' must be given for logger='csv'"):
        call(data, None, "csv")
    monkeypatch.setattr("labelgraph.train.loggers.find_spec", lambda name: None)
    for name in ("tensorboard", "wandb"):
        with pytest.raises(ImportError, match=rf'{name} is not installed.*pip install "labelgraph\[{name}\]"'):
            call(data, tmp_path / "run", name)
    check_logger("csv")
    assert not (tmp_path / "run").exists()
