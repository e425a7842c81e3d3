"""The tuning command, end to end on a small file."""

import json

import pytest
import yaml

from benchmarks.experiments import jobs
from benchmarks.tuning import __main__ as tuning
from benchmarks.tuning import tuning_report
from labelgraph.data import save_npz

SMALL = ["train.epochs=1", "model.metric_heads=2", "train.batch_size=32"]


@pytest.fixture
def small_file(make_data, tmp_path):
    save_npz(make_data(size=80), tmp_path / "small.npz")
    return tmp_path / "small.npz"


@pytest.mark.slow
def test_every_method_has_as_many_trials_and_the_best_all_seeds(small_file, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    start = ["--dataset", str(small_file), "--methods", "algcn", "expected-relevance", "--trials", "2", "--seeds"]
    assert tuning.main([*start, "0", "1", "--jobs", "1", "--out", str(out), "--set", *SMALL]) == 0
    printed = capsys.readouterr().out
    assert "2 trials of algcn, expected-relevance" in printed and "| ridge" in printed
    plan = yaml.safe_load((out / "plan.yaml").read_text())
    assert {name: len(trials) for name, trials in plan["trials"].items()} == {
        "algcn": 2, "expected-relevance": 2, "ridge": 2,
    }  # fmt: skip
    result = json.loads((out / "tuning.json").read_text())["methods"]
    for name, each in result.items():
        best = each["tried"].index(max(each["tried"]))
        assert each["settings"] == plan["trials"][name][best]
        assert each["validation"][0] == max(each["tried"])  # The first seed is that of the trials.
        assert len(each["test"]) == (1 if name == "ridge" else 2)
        if name != "ridge":
            assert len(list((out / name / f"trial-{best}").glob("seed-*"))) == 2
            assert len(list((out / name / f"trial-{1 - best}").glob("seed-*"))) == 1
    assert len(result["algcn"]["expected_relevance"]) == 2 and not result["expected-relevance"]["expected_relevance"]
    assert (out / "plots" / "tuned.png").stat().st_size > 5_000

    report = (out / "report.md").read_text()
    page = (out / "report.html").read_text()
    assert page.count("<table>") == report.count("| :-") and page.count("data:image/png;base64,") == 1
    (out / "report.md").unlink()
    (out / "report.html").unlink()
    monkeypatch.setattr(jobs, "train_one", None)  # Nothing is left to train.
    assert tuning.main(["--resume", str(out), "--jobs", "1"]) == 0
    assert [line for line in (out / "report.md").read_text().splitlines() if not line.startswith("| ridge")] == [
        line for line in report.splitlines() if not line.startswith("| ridge")
    ]  # Ridge is fitted anew, and its time is another.
    assert (out / "report.html").is_file()


@pytest.mark.slow
def test_methods_are_ordered_by_validation_not_by_test(small_file, tmp_path, capsys, monkeypatch):
    ordered = []
    monkeypatch.setattr(tuning_report, "_results_table", lambda tuned, protocol: ordered.extend(tuned) or "")
    start = ["--dataset", str(small_file), "--methods", "algcn", "expected-relevance", "--trials", "1", "--seeds", "3"]
    assert tuning.main([*start, "--jobs", "1", "--out", str(tmp_path / "out"), "--set", *SMALL]) == 0
    values = [each.results[0].best_map for each in ordered]
    assert len(values) == 3 and values == sorted(values, reverse=True)
    for each in ordered:  # What is resampled is what is reported.
        assert each.by_query.mean().item() == pytest.approx(each.results[0].average, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trials", "0"], "'--trials' must be at least 1"),
        (["--jobs", "0"], "'--jobs' must be at least 1"),
        (["--dataset", "absent.npz"], "absent.npz: no such file or folder"),
        (["--resume", "absent"], "expected the plan of a run"),
        (["--set", "train.speed=3"], "train.speed"),
        (["--set", "train.select=last"], "'train.select' must be a split"),
    ],
)
def test_wrong_arguments_are_told_and_leave_no_folder(arguments, message, tmp_path, capsys):
    assert tuning.main(["--out", str(tmp_path / "out"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "content", ["", "- 1", "format: 0", "format: 1\ndataset: x", "format: [", "format: 1\nmore: 2"]
)
def test_a_damaged_plan_is_refused(content, tmp_path, capsys):
    (tmp_path / "plan.yaml").write_text(content)
    assert tuning.main(["--resume", str(tmp_path)]) == 2
    assert "plan.yaml: expected the plan of a run" in capsys.readouterr().err
