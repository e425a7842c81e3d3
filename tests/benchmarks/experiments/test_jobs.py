"""Trainings in parallel."""

import pytest
import torch

from benchmarks.experiments.jobs import Job, run_jobs
from benchmarks.experiments.run_folder import RunFolder, keep_splits, load_data
from benchmarks.experiments.run_settings import resolve
from labelgraph.data import save_npz


@pytest.fixture
def jobs_in(make_data, tmp_path):
    save_npz(make_data(size=60), tmp_path / "small.npz")
    small = ["model.hidden_channels=8", "train.epochs=2", "train.batch_size=20"]
    config = resolve("expected-relevance", str(tmp_path / "small.npz"), [0, 1, 2], None, small)

    def make(name):
        root = RunFolder(tmp_path / name)
        root.path.mkdir()
        keep_splits(config, load_data(config), root)
        return [Job(config, seed, RunFolder(root.path / "own"), root) for seed in config.seeds]

    return make


@pytest.mark.slow
def test_two_at_a_time_give_what_one_after_the_other_gives(jobs_in):
    threads = torch.get_num_threads()
    output = [run_jobs(jobs_in(f"workers-{count}"), count) for count in (1, 2)]
    alone, together = ([result.average for results in each.values() for result in results] for each in output)
    assert together == pytest.approx(alone) and len(set(alone)) > 2
    assert torch.get_num_threads() == threads


def test_the_same_training_asked_for_twice_is_done_once(jobs_in):
    first, *_ = jobs_in("once")
    result = run_jobs([first, first], 1)
    assert list(result) == [first.path] and len(result[first.path]) == 2  # A result a protocol.


def test_what_is_done_is_read_with_the_splits_it_was_made_with(jobs_in):
    first, *_ = jobs_in("again")
    assert first.data() is first.data()
    results = run_jobs([first], 1)
    when = first.path.stat().st_mtime_ns
    assert run_jobs([first], 1) == results and first.path.stat().st_mtime_ns == when
