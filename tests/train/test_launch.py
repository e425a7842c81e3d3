"""Trainings in several processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from labelgraph.cli.main import main
from labelgraph.methods import load_method
from labelgraph.train import TrainConfig
from labelgraph.train.launch import by_first, check_processes, is_first, num_processes, wait_for_all
from tests.train import shared_training

ROOT = Path(__file__).parents[2]


def launch(*words, processes=2, check=True):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0 or not check, done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A folder with the results of all cases in two processes."""
    folder = tmp_path_factory.mktemp("shared")
    launch(ROOT / "tests" / "train" / "shared_training.py", folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("case", [*shared_training.CASES, shared_training.RESUMED])
def test_two_processes_with_half_batches_train_the_method_of_one(shared, case):
    first, second = (torch.load(shared / f"{case} {rank}.pt") for rank in (0, 1))
    alone = shared_training.state_of(shared_training.train(case.removesuffix(" resumed"), devices=1))
    for name, expected in alone.items():
        # Sums in another order differ in their last digits, which Adam enlarges if a gradient is nearly 0.
        torch.testing.assert_close(first[name], expected, rtol=1e-6, atol=1e-8)
        assert torch.equal(first[name], second[name]), name
    assert len(alone["history"].unique(dim=0)) == len(alone["history"]) > 2


@pytest.mark.slow
def test_the_first_process_alone_writes(shared):
    entries = sorted(path.relative_to(shared / "folder").as_posix() for path in (shared / "folder").rglob("*"))
    assert entries == ["train", "train/history.csv"]
    assert len((shared / "folder" / "train" / "history.csv").read_text().splitlines()) == 4


@pytest.mark.slow
def test_the_command_trains_in_two_processes(place, tmp_path):
    words = [str(place / "data.npz"), "--epochs", "2", "--method", "algcn", "--logger", "csv", "--set"]
    words += ["train.precision=64-true", "model.hidden_channels=8", "train.batch_size=8", "train.patience=1"]
    assert main(["train", *words, "--out", str(tmp_path / "one"), "--quiet"]) == 0
    done = launch("-m", "labelgraph", "train", *words, "--out", str(tmp_path / "two"), "--devices", "2")
    assert done.stdout.count("Trained algcn") == done.stdout.count("Saved in") == 1
    one, two = (load_method(tmp_path / name).state_dict() for name in ("one", "two"))
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-6, atol=1e-8)
    histories = [json.loads((tmp_path / name / "training.json").read_text())["history"] for name in ("one", "two")]
    assert histories[1] == [pytest.approx(row, rel=1e-5) for row in histories[0]]
    assert not (tmp_path / "two.training").exists()
    logs = [len([*(tmp_path / f"{name}.logs").rglob("metrics.csv")]) for name in ("one", "two")]
    assert logs == [1, 1]


@pytest.mark.slow
def test_a_launcher_without_devices_is_refused_in_one_line(place, tmp_path):
    done = launch("-m", "labelgraph", "train", place / "data.npz", "--out", tmp_path / "out", check=False)
    lines = {line for line in done.stderr.splitlines() if line.startswith("error: ")}
    (line,) = lines
    assert "'train.devices'" in line and "WORLD_SIZE=2" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("devices", "nodes", "processes", "facts"),
    [
        (2, 1, None, ["train.devices", "2 times 1", "1 process", "torchrun --nnodes 1 --nproc-per-node 2"]),
        (2, 3, "2", ["2 times 3", "WORLD_SIZE=2"]),
        (1, 1, "4", ["1 times 1", "WORLD_SIZE=4", "set train.devices"]),
    ],
)
def test_another_number_of_processes_is_refused(monkeypatch, devices, nodes, processes, facts):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if processes:
        monkeypatch.setenv("WORLD_SIZE", processes)
    with pytest.raises(ValueError, match="must be the number of processes") as error:
        check_processes(TrainConfig(devices=devices, num_nodes=nodes))
    assert all(fact in str(error.value) for fact in facts) and "\n" not in str(error.value)


def test_as_many_processes_as_devices_are_accepted(monkeypatch):
    check_processes(TrainConfig())
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "3")
    check_processes(TrainConfig(devices=2, num_nodes=2))
    assert num_processes() == 4 and not is_first()


def test_one_process_does_everything_itself():
    assert (num_processes(), is_first(), by_first(lambda: "done")) == (1, True, "done")
    wait_for_all()
    with pytest.raises(KeyError):
        by_first(lambda: {}["a"])
