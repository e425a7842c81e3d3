"""Damaged run folders are answered by one line that names the file."""

import pytest
import yaml

from benchmarks import ablate, bits, run
from benchmarks.experiments.code_lengths import Plan
from benchmarks.experiments.comparison import Comparison
from benchmarks.experiments.environment import environment
from benchmarks.experiments.folder_start import FACTORS_FILE
from benchmarks.experiments.run_folder import RunFolder, create_plan, read_plan
from benchmarks.experiments.run_settings import resolve, resolve_all
from benchmarks.experiments.runner import read_saved
from labelgraph.metrics import RetrievalReport
from labelgraph.report import Result, write_results

pytestmark = pytest.mark.slow  # Whole commands and processes.

DAMAGED = {
    "nested": "[" * 20_000,
    "a timestamp that is none": "format: 2001-99-99 99:99:99",
    "a number of a date": "format: 2001-02-30",
    "an unknown tag": "format: !!python/object:os.system 1",
    "text": "just text",
    "nothing": "",
    "a tab": "\tformat: 1",
    "another format": "format: 99\nlabelgraph: 0.1.0\n",
    "no settings": "format: 1\nlabelgraph: 0.1.0\n",
    "a null character": "format: \0",
}


def one_line(call, *facts):
    with pytest.raises(ValueError) as error:
        call()
    message = str(error.value)
    assert "\n" not in message and len(message) < 600
    for fact in facts:
        assert fact in message


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(resolve("algcn", "openclipart", [0]), environment())
    return folder


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_settings(folder, name, capsys):
    folder.settings.write_text(DAMAGED[name])
    one_line(folder.config, str(folder.settings), "format 1")
    assert run.main(["--eval", str(folder.path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and str(folder.settings) in error


@pytest.mark.parametrize(
    ("key", "value"),
    [("method", "algnc"), ("method", 3), ("dataset", None), ("seeds", 3), ("seeds", ["a"]), ("model", [1]),
     ("train", {"lr": "fast"}), ("train", 3), ("eval", {"protocols": ["x"]}), ("data", {"incomplete": 7})],
)  # fmt: skip
def test_settings_of_other_types(folder, key, value):
    content = yaml.safe_load(folder.settings.read_text())
    folder.settings.write_text(yaml.safe_dump({**content, key: value}))
    one_line(folder.config, str(folder.settings))


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_comparison(tmp_path, name, capsys):
    comparison = Comparison(tmp_path / "all")
    comparison.create(resolve_all(["algcn", "agah"], "openclipart", [0]), environment())
    assert [config.method for config in comparison.configs()] == ["algcn", "agah"]
    comparison.marker.write_text(DAMAGED[name])
    one_line(comparison.configs, str(comparison.marker), "format 1")
    assert run.main(["--resume", str(comparison.path)]) == 2
    assert str(comparison.marker) in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    ["methods: 3\nbaselines: []", "methods: []\nbaselines: []", "methods: [algnc]\nbaselines: []",
     "methods: [algcn]\nbaselines: [knn]"],
)  # fmt: skip
def test_comparison_of_other_values(tmp_path, content):
    (tmp_path / "comparison.yaml").write_text(f"format: 1\n{content}\n")
    one_line(Comparison(tmp_path).configs, str(tmp_path / "comparison.yaml"))


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_plan(tmp_path, name, capsys):
    plan = Plan("openclipart", ["algcn"], [16], [0], [])
    create_plan(plan, tmp_path / "bits", environment())
    assert read_plan(Plan, tmp_path / "bits") == plan
    (tmp_path / "bits" / "plan.yaml").write_text(DAMAGED[name])
    assert bits.main(["--resume", str(tmp_path / "bits")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and str(tmp_path / "bits" / "plan.yaml") in error


@pytest.mark.parametrize("content", ["", "hopes", "hops \xff"])
def test_damaged_factors(folder, content, capsys):
    (folder.path / FACTORS_FILE).write_bytes(content.encode("latin-1"))
    assert ablate.main(["--resume", str(folder.path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and FACTORS_FILE in error


def test_results_of_other_protocols(tmp_path):
    report = RetrievalReport(0.5, [], [], [], [], [], 1, 0)
    results = [Result("algcn", 0, "test-vs-test", report, report)]
    path = tmp_path / "results.json"
    write_results(path, results)
    assert read_saved(path, ["test-vs-test"]) == results
    one_line(lambda: read_saved(path, ["query-vs-database"]), str(path), "query-vs-database", "test-vs-test")
    write_results(path, [])
    one_line(lambda: read_saved(path, ["test-vs-test"]), str(path), "no results")
