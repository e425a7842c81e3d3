"""When a label graph helps: the command end to end on a small file, and the differences of its report."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from benchmarks import regimes, run
from benchmarks.experiments import jobs
from benchmarks.experiments.regime_report import difference
from benchmarks.experiments.run_settings import DataConfig
from labelgraph.data import save_npz

SMALL = ["model.hidden_channels=8", "train.epochs=1", "train.lr=0.02"]


@pytest.fixture
def named_file(make_data, tmp_path):
    data = make_data(size=80)
    vectors = torch.eye(data.num_labels)
    vectors[0] = vectors[1]
    save_npz(replace(data, label_vectors=vectors), tmp_path / "named.npz")
    return tmp_path / "named.npz"


@pytest.mark.slow
def test_every_graph_is_measured_and_resumed_for_nothing(named_file, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    start = ["--dataset", str(named_file), "--seeds", "0", "1", "--jobs", "1", "--unseen", "1"]
    start += ["--regimes", "all", "unseen"]
    assert regimes.main([*start, "--out", str(out), "--set", *SMALL]) == 0
    printed = capsys.readouterr().out
    content = json.loads((out / "regimes.json").read_text())["results"]
    assert len(content) == 2 * (5 + 5) and all(len(each["measures"]["mAP"]) == 2 for each in content)
    ours = [each for each in content if each["method"] == "expected-relevance"]
    assert len({str(each["measures"]["all labels"]) for each in ours}) > 4
    in_regime = {(each["method"], each["regime"], each["graph"]): each["measures"]["mAP"] for each in content}
    for method in ("algcn", "expected-relevance"):
        assert in_regime[method, "all", "no graph"] != in_regime[method, "unseen", "no graph"]
    assert (out / "plots" / "regimes.png").stat().st_size > 5_000
    report = (out / "report.md").read_text()
    for fact in ("nDCG@10", "## 1 label that no training item has", "| no graph", "| similar names", "12-39 items"):
        assert fact in report
    assert "28 trainings" in printed  # The graphs of references share a training: (5 + 2) graphs, 2 regimes, 2 seeds.

    page = (out / "report.html").read_text()
    assert page.count("<table>") == report.count("| :-") and page.count("data:image/png;base64,") == 1
    (out / "report.md").unlink()
    (out / "report.html").unlink()
    monkeypatch.setattr(jobs, "train_one", None)  # Nothing is left to train.
    assert regimes.main(["--resume", str(out), "--jobs", "1"]) == 0
    assert (out / "report.md").read_text() == report
    assert (out / "report.html").read_text() == page


@pytest.mark.slow
def test_a_shared_training_gives_what_a_training_of_its_own_gives(named_file, tmp_path):
    start = ["--dataset", str(named_file), "--seeds", "0", "--jobs", "1", "--methods", "expected-relevance"]
    small = ["--regimes", "all", "--set", "model.hidden_channels=8", "train.epochs=2"]
    assert regimes.main([*start, *small, "--out", str(tmp_path / "shared")]) == 0
    shared = json.loads((tmp_path / "shared" / "regimes.json").read_text())["results"]
    settings = ["model.hidden_channels=8", "train.epochs=2", "model.edges=none", "eval.baselines=[]"]
    own = [
        "--method",
        "expected-relevance",
        "--dataset",
        str(named_file),
        "--seeds",
        "0",
        "--out",
        str(tmp_path / "own"),
    ]
    assert run.main([*own, "--set", *settings]) == 0
    expected = json.loads((tmp_path / "own" / "metrics.json").read_text())["results"][0]
    alone = next(each for each in shared if each["graph"] == "names and references alone")["measures"]
    sides = [each["average_precision"] for each in expected["classifiers"].values()]
    assert alone["all labels"] == [pytest.approx(np.mean(sides))]


def test_the_interval_is_that_of_scipy():
    values, base = [0.5, 0.7, 0.65], [0.4, 0.5, 0.6]
    mean, margin = difference(values, base)
    interval = stats.ttest_rel(values, base).confidence_interval(0.95)
    np.testing.assert_allclose([mean - margin, mean + margin], interval)
    assert np.isnan(difference([0.5], [0.4])[1])


def test_training_items_are_drawn_within_each_other(make_data):
    data = make_data(size=80)
    drawn = [set(DataConfig(train_items=n, seed=3).apply(data).splits["train"].tolist()) for n in (5, 20)]
    assert [len(each) for each in drawn] == [5, 20] and drawn[0] < drawn[1] <= set(data.splits["train"].tolist())
    assert set(DataConfig(train_items=5, seed=4).apply(data).splits["train"].tolist()) != drawn[0]
    assert "5 of" in DataConfig(train_items=5).describe(data)[0]
    with pytest.raises(ValueError, match=r"'data.train_items' must be at most \d+"):
        DataConfig(train_items=81).apply(data)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs", "0"], "'--jobs' must be at least 1"),
        (["--dataset", "absent.npz"], "absent.npz: no such file or folder"),
        (["--resume", "absent"], "expected the plan of a run"),
        (["--regimes", "unseen", "--unseen", "462"], "'labels' must be 0 to"),
    ],
)
def test_wrong_arguments_are_told_and_leave_no_folder(arguments, message, tmp_path, capsys):
    assert regimes.main(["--out", str(tmp_path / "out"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_set_without_vectors_is_refused(make_data, tmp_path, capsys):
    save_npz(make_data(size=80), tmp_path / "plain.npz")
    assert regimes.main(["--dataset", str(tmp_path / "plain.npz"), "--out", str(tmp_path / "out")]) == 2
    assert "'--dataset' must have vectors of its label names" in capsys.readouterr().err
