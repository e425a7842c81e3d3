"""Rows of the history, and random seeds of epochs."""

import copy
from types import SimpleNamespace

import torch

from labelgraph.train.callbacks import EpochSeed, History, write_rows


def test_rows_are_written_atomically(tmp_path):
    path = tmp_path / "history.csv"
    write_rows(path, [{"epoch": 0, "total": 1.5}])
    write_rows(path, [{"epoch": 0, "total": 1.5}, {"epoch": 1, "total": 0.1 + 0.2}])
    assert path.read_bytes() == b"epoch,total\r\n0,1.5\r\n1,0.30000000000000004\r\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_history_continues_from_its_state(tmp_path):
    def epoch(history, number, value):
        metrics = {"total": torch.tensor(value)}
        trainer = SimpleNamespace(callback_metrics=metrics, current_epoch=number, is_global_zero=history is not other)
        module = SimpleNamespace(device=torch.device("cpu"))
        history.on_train_start(trainer, module)
        history.on_train_epoch_start(trainer, module)
        history.on_train_epoch_end(trainer, module)

    first, second, other = (History(tmp_path / name) for name in ("a.csv", "b.csv", "other.csv"))
    epoch(other, 0, 1.5)
    assert other.rows and not other.path.exists()  # The first process writes the file.
    epoch(first, 0, 1.5)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    epoch(second, 1, 0.5)
    assert second.rows == [{"epoch": 0, "total": 1.5}, {"epoch": 1, "total": 0.5}]
    assert (tmp_path / "b.csv").read_text().splitlines() == ["epoch,total", "0,1.5", "1,0.5"]
    assert second.seconds[0] == first.seconds[0] > 0 and len(second.seconds) == 2
    assert second.peak_bytes is None or second.peak_bytes >= first.peak_bytes > 2**20


def test_random_numbers_differ_by_epoch_and_seed():
    def draw(seed, epoch):
        EpochSeed(seed).on_train_epoch_start(SimpleNamespace(current_epoch=epoch), None)
        return torch.rand(1).item()

    assert len({draw(seed, epoch) for seed in range(3) for epoch in range(5)}) == 15
    first = draw(1, 2)
    torch.rand(7)
    assert draw(1, 2) == first
