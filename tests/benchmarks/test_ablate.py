"""The ablation command, end to end on a small file."""

import json
from dataclasses import replace

import pytest

from benchmarks import ablate
from benchmarks.experiments import jobs
from benchmarks.experiments.ablation_report import Variation, graph_effect
from labelgraph.data import save_npz
from labelgraph.metrics import RetrievalReport
from labelgraph.report import Result


@pytest.fixture
def small_file(make_data, tmp_path):
    save_npz(make_data(size=80), tmp_path / "small.npz")
    return tmp_path / "small.npz"


@pytest.mark.slow
def test_every_value_is_trained_once_and_resumed_for_nothing(small_file, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    small = ["model.hidden_channels=8", "train.epochs=1", "train.lr=0.01", "model.threshold=0.3"]
    start = ["--dataset", str(small_file), "--seeds", "0", "1", "--jobs", "1", "--over", "hops", "threshold"]
    assert ablate.main([*start, "--out", str(out), "--set", *small]) == 0
    printed = capsys.readouterr().out
    assert "16 trainings" in printed  # 5 hops and 4 thresholds, of which each has the method's own, times 2 seeds.
    content = json.loads((out / "ablation.json").read_text())["variations"]
    assert [v["value"] for v in content] == [0, 1, 2, 3, 5, 0.2, 0.3, 0.4, 0.6]
    own = [v for v in content if v["own"]]
    assert [v["value"] for v in own] == [3, 0.3] and own[0]["test"] == own[1]["test"]
    assert len({tuple(v["test"]) for v in content}) > 5
    assert (out / "plots" / "ablation.png").stat().st_size > 5_000
    report = (out / "report.md").read_text()
    assert "the label graph changes mAP" in report and "| hops" in report and "| threshold" in report
    assert "| algcn, hops 0" in report and "exact@10" in report

    page = (out / "report.html").read_text()
    assert page.count("<table>") == report.count("| :-") and page.count("data:image/png;base64,") == 1
    (out / "report.md").unlink()
    (out / "report.html").unlink()
    monkeypatch.setattr(jobs, "train_one", None)  # Nothing is left to train.
    assert ablate.main(["--resume", str(out), "--jobs", "1"]) == 0
    assert (out / "report.md").read_text() == report
    assert (out / "report.html").read_text() == page


def variation(value, validation, test, own=False):
    report = RetrievalReport(0.0, [], [], [], [], [], 1, 0)
    results = []
    for seed, (chosen, measured) in enumerate(zip(validation, test, strict=True)):
        way = replace(report, mean_average_precision=measured)
        results.append(Result("algcn", seed, "test-vs-test", way, way, best_map=chosen))
    return Variation("hops", value, own, results)


@pytest.mark.parametrize(
    ("gain", "mean", "verdict"),
    [
        ([0.05, 0.06, 0.04], "+0.050 ± 0.006", "is significant (95 % interval +0.025 to +0.075)"),
        ([-0.05, -0.06, -0.04], "-0.050 ± 0.006", "is significant (95 % interval -0.075 to -0.025)"),
        ([0.05, -0.06, 0.04], "+0.010 ± 0.035", "is not significant"),
    ],
)
def test_the_effect_of_the_graph_follows_the_numbers(gain, mean, verdict):
    none = variation(0, [0.5] * 3, [0.5] * 3)
    best = variation(3, [0.6] * 3, [0.5 + each for each in gain], own=True)
    worse_by_validation = variation(5, [0.4] * 3, [0.9] * 3)
    (sentence,) = graph_effect([none, best, worse_by_validation], "test-vs-test")
    for fact in ("3 seeds", f"by {mean}", "(3 hops", verdict):
        assert fact in sentence


def test_one_seed_shows_no_significance():
    (sentence,) = graph_effect([variation(0, [0.5], [0.5]), variation(1, [0.6], [0.9], own=True)], "test-vs-test")
    assert "1 seed," in sentence and "+0.400 (1 hop," in sentence and "interval" not in sentence


@pytest.mark.parametrize("arguments", [["--method", "agah"], ["--over", "width"]])
def test_wrong_choices_are_told_by_the_parser(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        ablate.main(arguments)
    assert stop.value.code == 2 and "must be one of " in (error := capsys.readouterr().err)
    assert f"{arguments[0]} " in error and f"(got {arguments[1]!r})" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "absent.npz"], "absent.npz: no such file or folder"),
        (["--resume", "absent"], "expected a run folder with config.yaml"),
        (
            ["--method", "dagnn", "--set", "data.incomplete=0.5"],
            "'data.incomplete' must be 0 for an ablation (got 0.5)",
        ),
        (["--set", "model.hop=3"], "unknown setting 'model.hop'"),
    ],
)
def test_wrong_options_are_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert ablate.main(arguments) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
