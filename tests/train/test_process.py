"""Peak memory, and signals that end a training."""

import mmap
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from labelgraph.train import peak_memory, reset_peak_memory
from labelgraph.train import process as memory

CPU = torch.device("cpu")
MEBIBYTES = 2**20


@pytest.mark.skipif(not memory.CLEAR.exists(), reason="the system does not tell")
def test_the_peak_counts_freed_memory_and_can_be_reset():
    reset_peak_memory(CPU)
    before = peak_memory(CPU)
    # Mapped from the system, because an allocator may reuse memory of the process.
    with mmap.mmap(-1, 128 * MEBIBYTES) as held:
        for page in range(0, len(held), mmap.PAGESIZE):
            held[page] = 1
    assert 120 * MEBIBYTES < peak_memory(CPU) - before < 200 * MEBIBYTES
    reset_peak_memory(CPU)
    assert peak_memory(CPU) - before < 60 * MEBIBYTES


def test_the_peak_is_none_on_an_unsupported_system(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "STATUS", tmp_path / "status")
    monkeypatch.setattr(memory, "CLEAR", tmp_path / "clear_refs")
    reset_peak_memory(CPU)
    assert peak_memory(CPU) is None and not list(tmp_path.iterdir())


TRAINING = """
import signal, sys
import lightning as L
import torch
from labelgraph._core.signals import run_command
from labelgraph.data import CrossModalData
from labelgraph.train import train_method

class Send(L.Callback):
    def on_train_batch_start(self, trainer, *_):
        if trainer.global_step == 5:
            signal.raise_signal(getattr(signal, sys.argv[2]))

data = CrossModalData(torch.randn(40, 6), torch.randn(40, 5), torch.eye(4).repeat(10, 1))
def train():
    small = {"model": {"hidden_channels": 4}, "train": {"epochs": 9, "batch_size": 9}}
    train_method("algcn", data, **small, progress=False, callbacks=[Send()])
    print("trained")
if sys.argv[1] == "command":
    sys.exit(run_command(train, "give the same command again"))
try:
    train()
except KeyboardInterrupt:
    print("KeyboardInterrupt")
print("went on")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name", "status", "output"),
    [
        ("command", "SIGTERM", 143, ["stopped by SIGTERM; give the same command again"]),
        ("command", "SIGINT", 130, ["interrupted; give the same command again"]),
        ("script", "SIGTERM", -signal.SIGTERM, []),
        ("script", "SIGINT", 0, ["KeyboardInterrupt", "went on"]),
    ],
)
def test_a_signal_ends_a_training_like_any_program(kind, name, status, output):
    root = Path(__file__).parents[2]
    command = [sys.executable, "-W", "ignore", "-c", TRAINING, kind, name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert (done.returncode, (done.stdout + done.stderr).splitlines()) == (status, output)
