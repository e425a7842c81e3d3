"""Calibration in the report of a run."""

import re

import pytest
import torch

from benchmarks import run
from benchmarks.experiments.run_folder import RunFolder
from benchmarks.experiments.run_plots import ranks_by_probabilities
from benchmarks.experiments.run_settings import resolve
from labelgraph.data import load_npz, save_npz
from labelgraph.methods import load_method

SMALL = ["train.epochs=3", "train.lr=0.05", "model.hidden_channels=8", "eval.baselines=[]"]


@pytest.fixture
def file(make_data, tmp_path):
    save_npz(make_data(size=120), tmp_path / "small.npz")
    return tmp_path / "small.npz"


def error_of(probabilities, labels, bins=15):
    """Expected calibration error, bin by bin."""
    total = 0.0
    pairs = list(zip(probabilities.flatten().tolist(), labels.flatten().tolist(), strict=True))
    for number in range(bins):
        inside = [(p, y) for p, y in pairs if min(int(p * bins), bins - 1) == number]
        if inside:
            total += abs(sum(p for p, _ in inside) - sum(y for _, y in inside))
    return total / len(pairs)


def test_the_errors_are_those_of_the_saved_models(file, tmp_path, capsys):
    out = tmp_path / "out"
    start = ["--method", "expected-relevance", "--dataset", str(file), "--seeds", "0", "1", "--out", str(out)]
    assert run.main([*start, "--set", *SMALL]) == 0
    report = (out / "report.md").read_text()
    test = load_npz(file).split("test")
    for side, features in (("image", test.image), ("text", test.text_rows())):
        before, after = [], []
        for seed in (0, 1):
            method = load_method(RunFolder(out).model(seed))
            with torch.no_grad():
                before.append(error_of(method.label_scores(side, features).sigmoid(), test.labels))
                after.append(error_of(method.label_probabilities(side, features), test.labels))
        assert before != after
        (row,) = re.findall(rf"\| {side} +\| +([\d.]+) \| +([\d.]+) \|", report)
        assert [float(each) for each in row] == pytest.approx([sum(before) / 2, sum(after) / 2], abs=6e-5)
    assert (out / "plots" / "reliability.png").stat().st_size > 5_000


@pytest.mark.slow
def test_other_methods_have_it_where_they_rank_by_probabilities(file, tmp_path, capsys):
    start = ["--method", "algcn", "--dataset", str(file), "--seeds", "0", "--set", *SMALL]
    assert run.main([*start, "--out", str(tmp_path / "own")]) == 0
    assert run.main([*start, "eval.score=expected_relevance", "--out", str(tmp_path / "expected")]) == 0
    assert "## Calibration" not in (tmp_path / "own" / "report.md").read_text()
    assert "## Calibration" in (tmp_path / "expected" / "report.md").read_text()


@pytest.mark.parametrize(
    ("method", "settings", "does"),
    [
        ("algcn", [], False),
        ("algcn", ["eval.score=expected_shared"], True),
        ("expected-relevance", [], True),
        ("expected-relevance", ["model.bits=16"], False),
    ],
)
def test_codes_are_not_calibrated(method, settings, does):
    assert ranks_by_probabilities(resolve(method, "openclipart", [0], None, settings)) is does
