"""The start of a run: what a killed start left is no obstacle, files of the user stay, two processes do not meet."""

import os
import shutil

import pytest
import yaml

from benchmarks import run
from benchmarks.experiments import runner
from benchmarks.experiments.comparison import Comparison
from benchmarks.experiments.environment import environment
from benchmarks.experiments.run_folder import RunFolder
from benchmarks.experiments.run_settings import resolve, resolve_all
from labelgraph._core.held_folder import held


def comparison(path, *methods):
    made = Comparison(path)
    made.create(resolve_all(methods, "openclipart", [0]), environment())
    return made


# In the order in which they are written: a killed start has left the first ones.
WRITTEN = ("environment.json", "algcn/environment.json", "algcn/config.yaml", "agah/environment.json",
           "agah/config.yaml")  # fmt: skip


@pytest.mark.parametrize("count", range(1, len(WRITTEN) + 1))
def test_a_comparison_that_was_killed_before_it_started_can_be_given_again(tmp_path, count):
    comparison(tmp_path / "all", "algcn", "agah").marker.unlink()
    for name in WRITTEN[count:]:
        (tmp_path / "all" / name).unlink()
    (tmp_path / "all" / "algcn" / ".part-0123456789abcdef.yaml").touch()  # That a kill interrupted.
    made = comparison(tmp_path / "all", "algcn", "dagnn")
    assert [config.method for config in made.configs()] == ["algcn", "dagnn"]
    folders = {entry.name for entry in made.path.iterdir() if entry.is_dir()}
    assert folders == {"algcn", "dagnn"} and not list(made.path.rglob(".part*"))


def test_the_settings_are_written_last(tmp_path, monkeypatch):
    written = []
    replace = os.replace
    monkeypatch.setattr("pathlib.Path.replace", lambda self, to: (written.append(to), replace(self, to)))
    made = comparison(tmp_path / "all", "algcn", "agah")
    assert sorted(WRITTEN) == sorted(path.relative_to(made.path).as_posix() for path in written[:-1])
    assert written[0] == made.folder.environment and written[-1] == made.marker
    written.clear()
    folder = RunFolder(tmp_path / "ablation")
    folder.create(resolve("algcn", "openclipart", [0]), environment(), ["hops"])
    assert [path.name for path in written] == ["environment.json", "ablation.txt", "config.yaml"]


@pytest.mark.parametrize("name", ["thesis.tex", "algcn/thesis.tex", "algcn/seed-0/results.json", "mine/config.yaml",
                                  "config.yaml", "plan.yaml"])  # fmt: skip
def test_a_folder_with_other_files_is_refused_and_kept(tmp_path, name):
    made = comparison(tmp_path / "all", "algcn", "agah")
    made.marker.unlink()
    (made.path / name).parent.mkdir(exist_ok=True)
    (made.path / name).write_text("all I have")
    before = {path: path.read_bytes() for path in made.path.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match=r"'--out' must be a new or an empty folder \(got .*all\)"):
        comparison(tmp_path / "all", "algcn", "agah")
    assert {path: path.read_bytes() for path in made.path.rglob("*") if path.is_file()} == before


def test_a_link_is_not_followed(tmp_path):
    shutil.copytree(comparison(tmp_path / "all", "algcn", "agah").path / "algcn", tmp_path / "mine")
    (tmp_path / "all" / "comparison.yaml").unlink()
    shutil.rmtree(tmp_path / "all" / "algcn")
    (tmp_path / "all" / "algcn").symlink_to(tmp_path / "mine")
    with pytest.raises(ValueError, match="'--out' must be a new or an empty folder"):
        comparison(tmp_path / "all", "algcn", "agah")
    assert (tmp_path / "mine" / "config.yaml").is_file()


def test_a_method_of_a_comparison_at_work_is_not_resumed(tmp_path, capsys, monkeypatch):
    made = comparison(tmp_path / "all", "algcn", "agah")
    before = yaml.safe_load(made.marker.read_text())
    with held(made.path, "working"):
        assert run.main(["--resume", str(made.path / "algcn")]) == 2
        monkeypatch.chdir(made.path / "algcn")
        assert run.main(["--resume", "."]) == 2
    refused = f"{made.path}: the process {os.getpid()} is working in this folder"
    assert capsys.readouterr().err.count(refused) == 2
    assert yaml.safe_load(made.marker.read_text()) == before and not (made.path / "algcn" / "seed-0").exists()


def test_an_interrupted_run_is_told_how_to_resume(tmp_path, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run", interrupted)
    out = tmp_path / "mine"
    assert run.main(["--method", "algcn", "--seeds", "0", "--out", str(out)]) == 130
    assert capsys.readouterr().err.endswith(f"interrupted; resume the run with --resume {out}\n")
