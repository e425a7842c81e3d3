"""Which items a run trains and evaluates on: by name, by file, kept in its folder, told in its report."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.io import savemat

from benchmarks import run as command
from benchmarks.datasets import known_sets
from benchmarks.experiments.run_folder import RunFolder, load_data, split_data
from benchmarks.experiments.run_settings import resolve
from labelgraph.data import load_npz, load_splits, make_splits, save_npz
from labelgraph.metrics import PROTOCOLS

SMALL = ["model.hidden_channels=8", "train.lr=1e-3", "eval.baselines=[random]"]


def config(*settings, dataset="small.npz", method="algcn"):
    return resolve(method, dataset, [0], settings=settings)


def start(file, out, *settings, more=("--method", "algcn")):
    return command.main(["--dataset", str(file), "--out", str(out), "--epochs", "1", "--seeds", "0", *more,
                         "--set", *SMALL, *settings])  # fmt: skip


@pytest.fixture
def small_file(make_data, tmp_path):
    save_npz(make_data(size=80), tmp_path / "small.npz")
    return tmp_path / "small.npz"


@pytest.mark.slow
def test_a_run_keeps_the_indices_that_it_names(small_file, tmp_path, capsys):
    out = tmp_path / "run"
    assert start(small_file, out, "data.split=dcmh", "data.split_seed=5", "data.query_size=10") == 0
    data = load_npz(small_file)
    expected = make_splits(data, "dcmh", seed=5, query=10)
    assert all(torch.equal(index, expected[name]) for name, index in load_splits(out / "splits.json", data).items())
    report = (out / "report.md").read_text()
    sizes = "train 36, validation 4, test 10, query 10, database 70"
    assert f"The splits were drawn by `dcmh` with seed 5: {sizes}." in report
    assert "`splits.json`" in report
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| algcn"))

    # What the folder holds goes over what the settings would draw now.
    (out / "config.yaml").write_text((out / "config.yaml").read_text().replace("split_seed: 5", "split_seed: 6"))
    assert command.main(["--eval", str(out)]) == 0
    again = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| algcn"))
    assert row.split("|")[2:5] == again.split("|")[2:5]

    save_npz(replace(data, ids=[f"x{i}" for i in range(80)]), small_file)
    assert command.main(["--eval", str(out)]) == 2
    assert "splits.json: expected splits of these 80 items" in capsys.readouterr().err


def test_splits_of_the_data_stay_by_default(make_data):
    data = make_data(size=80)
    unchanged = split_data(config(), data)
    assert all(torch.equal(unchanged.splits[name], index) for name, index in data.splits.items())
    other = split_data(config("data.split=uniform"), data)
    assert not torch.equal(unchanged.splits["test"], other.splits["test"])


def test_data_with_training_and_test_items_alone_get_what_every_protocol_needs(make_data):
    data = make_data(size=80)
    data = replace(data, splits={name: data.splits[name] for name in ("train", "test")})
    ready = split_data(config(), data)
    assert {"train", "validation"} | {name for pair in PROTOCOLS.values() for name in pair} == set(ready.splits)
    assert len(ready.splits["validation"]) == 4
    assert torch.equal(split_data(config("data.validation_size=0"), data).splits["train"], data.splits["train"])


def test_index_files_of_ones_own(make_data, tmp_path):
    data = make_data(size=80)
    (tmp_path / "mine.json").write_text(json.dumps({"train": list(range(40)), "test": [70, 60]}))
    ready = split_data(config(f"data.split={tmp_path / 'mine.json'}", "data.validation_size=8"), data)
    assert ready.splits["test"].tolist() == [70, 60] and len(ready.splits["train"]) == 32


def test_published_sizes_are_those_of_the_data_set_unless_given(make_data):
    data = make_data(size=400)
    drawn = split_data(config("data.split=dcmh", "data.query_size=30", "data.train_size=90", dataset="mirflickr"), data)
    assert len(drawn.splits["query"]) == 30
    with pytest.raises(ValueError, match=r"'query' must give 1 to 399 of 400 items \(got 2000"):
        split_data(config("data.split=dcmh", dataset="mirflickr"), data)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["data.split=thirds"], "'data.split' must be one of test-vs-test, dcmh"),
        (["data.split=uniform", "data.query_size=3"], "the sizes of the split 'uniform' must be among"),
        (["data.query_size=3"], "'data.query_size' must come with a 'data.split' of test-vs-test"),
        (["data.split=uniform", "data.split_seed=-1"], "'data.split_seed' must be a whole number of at least 0"),
    ],
)
def test_wrong_splits_are_one_line_and_leave_nothing(small_file, tmp_path, capsys, settings, message):
    assert start(small_file, tmp_path / "run", *settings) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_data_without_splits_ask_for_some(make_data, tmp_path, capsys):
    save_npz(replace(make_data(size=80), splits={}), tmp_path / "bare.npz")
    assert start(tmp_path / "bare.npz", tmp_path / "run") == 2
    assert "'data.split' must be one of test-vs-test" in capsys.readouterr().err
    assert start(tmp_path / "bare.npz", tmp_path / "run", "data.split=test-vs-test") == 0


@pytest.mark.slow
def test_methods_of_one_table_share_their_splits(small_file, tmp_path):
    out = tmp_path / "all"
    sizes = ["model.graph_channels=[8, 8]", "model.bits=12", "train.batch_size=16"]
    assert start(small_file, out, "data.split=uniform", *sizes, more=("--method", "algcn", "agah")) == 0
    text = (out / "splits.json").read_text()
    assert all((out / name / "splits.json").read_text() == text for name in ("algcn", "agah"))
    assert "The splits were drawn by `uniform` with seed 0" in (out / "report.md").read_text()


def test_a_known_set_that_is_absent_is_told_with_its_address(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(known_sets, "ROOT", tmp_path)
    for prepare in (lambda folder: None, lambda folder: folder.mkdir()):
        prepare(tmp_path / "mirflickr")
        assert command.main(["--method", "algcn", "--dataset", "mirflickr", "--out", str(tmp_path / "run")]) == 2
        error = capsys.readouterr().err
        assert "mirflickr'; expected train_img.mat" in error and "https://github.com/LivXue/" in error
        assert error.count("\n") == 1 and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "file", "absent"),
    [("mirflickr", "train_img.mat", "train_txt.mat, train_lab.mat, test_img.mat, test_txt.mat, test_lab.mat"),
     ("nus-wide-tc10", "nus-wide-tc10-lall.mat", "nus-wide-tc10-xall-vgg.mat, nus-wide-tc10-yall.mat")],
)  # fmt: skip
def test_files_of_a_known_set_that_are_absent_are_told(tmp_path, capsys, monkeypatch, name, file, absent):
    monkeypatch.setattr(known_sets, "ROOT", tmp_path)
    (tmp_path / name).mkdir()
    key = file.partition(".")[0].rpartition("-")[2]
    savemat(tmp_path / name / file, {"LAll" if key == "lall" else key: np.ones((4, 3))})
    assert command.main(["--method", "agah", "--dataset", name, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert f"(missing files of '{name}': {absent}, from {known_sets.KNOWN_SETS[name].source})" in error


def test_a_known_set_is_loaded_from_its_folder(make_data, tmp_path, monkeypatch):
    data = make_data(size=80)
    monkeypatch.setattr(known_sets, "ROOT", tmp_path)
    (tmp_path / "wikipedia").mkdir()
    (tmp_path / "wikipedia" / "raw_features.mat").write_bytes(b"")
    asked = []
    monkeypatch.setattr("labelgraph.data.load_dataset", lambda path: asked.append(path) or data)
    loaded = load_data(config(dataset="wikipedia"), RunFolder(tmp_path))
    assert asked == [str(tmp_path / "wikipedia")] and torch.equal(loaded.image, data.image)
