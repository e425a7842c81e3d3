"""mAP against bits, end to end on a small file."""

import json

import pytest

from benchmarks import bits
from benchmarks.experiments import jobs
from labelgraph.data import save_npz


@pytest.mark.slow
def test_every_length_is_trained_and_resumed_for_nothing(make_data, tmp_path, capsys, monkeypatch):
    save_npz(make_data(size=80), tmp_path / "small.npz")
    out = tmp_path / "out"
    start = ["--dataset", str(tmp_path / "small.npz"), "--methods", "agah", "expected-relevance", "--seeds", "0", "1"]
    assert bits.main([*start, "--bits", "32", "8", "--jobs", "1", "--out", str(out), "--set", "train.epochs=1"]) == 0
    printed = capsys.readouterr().out
    header, _, agah, own = [line for line in printed.splitlines() if line.startswith("|")]
    assert [cell.strip() for cell in header.split("|")[1:-1]] == ["method", "8 bits", "32 bits", "without codes"]
    assert agah.split("|")[-2].strip() == "-" and "±" in own.split("|")[-2]  # A method of hashing has codes alone.
    content = json.loads((out / "bits.json").read_text())["results"]
    assert [(each["method"], each["bits"], len(each["test"])) for each in content] == [
        ("agah", 32, 2), ("agah", 8, 2), ("expected-relevance", 32, 2), ("expected-relevance", 8, 2),
        ("expected-relevance", None, 2),
    ]  # fmt: skip
    assert len({str(each["test"]) for each in content}) == 5
    assert (out / "plots" / "bits.png").stat().st_size > 5_000

    report = (out / "report.md").read_text()
    page = (out / "report.html").read_text()
    assert page.count("<table>") == report.count("| :-") and page.count("data:image/png;base64,") == 1
    (out / "report.md").unlink()
    (out / "report.html").unlink()
    monkeypatch.setattr(jobs, "train_one", None)  # Nothing is left to train.
    assert bits.main(["--resume", str(out), "--jobs", "1"]) == 0
    assert (out / "report.md").read_text() == report
    assert (out / "report.html").read_text() == page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs", "0"], "'--jobs' must be at least 1"),
        (["--dataset", "absent.npz"], "absent.npz: no such file or folder"),
        (["--resume", "absent"], "expected the plan of a run"),
        (["--bits", "0", "8"], "'--bits' must be distinct and at least 1 (got 0 8)"),
        (["--bits", "8", "8"], "'--bits' must be distinct"),
    ],
)
def test_wrong_arguments_are_told_and_leave_no_folder(arguments, message, tmp_path, capsys):
    assert bits.main(["--out", str(tmp_path / "out"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
