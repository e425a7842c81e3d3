"""A small run of the measurement with many labels."""

import json
from pathlib import Path

import pytest

from benchmarks.scale.__main__ import main

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is Linux's")


@pytest.mark.slow
def test_graphs_and_measures_of_many_labels(tmp_path, capsys):
    options = ["--items", "3000", "--labels", "1200", "--without-training", "--report", str(tmp_path / "report.json")]
    assert main(["tags", *options]) == 0
    assert "3,000 items" in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    _, graphs, measures = (step["results"] for step in report["steps"])
    assert report["labels"] == 1200 and graphs["merged_edges"] <= sum(
        graphs[key] for key in ("cooccurrence_edges", "meaning_edges")
    )
    assert (measures["queries"], measures["items"]) == (150, 2850) and measures["precision@10"] > 0.3


def test_options_of_tags_are_refused_elsewhere(capsys):
    with pytest.raises(SystemExit):
        main(["--labels", "500"])
    assert "'--labels' and '--without-training' are for tags" in capsys.readouterr().err
