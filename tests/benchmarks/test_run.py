"""The command, end to end on a small file."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from benchmarks import run as command
from benchmarks.experiments import runner
from benchmarks.experiments.run_folder import RunFolder
from labelgraph._core.held_folder import held
from labelgraph.data import save_npz
from labelgraph.methods import load_method

pytestmark = pytest.mark.slow  # Whole commands and processes.

SCHEMA = Path(command.__file__).with_name("metrics.schema.json")
SMALL = ["model.hidden_channels=16", "train.lr=1e-3", "eval.baselines=[random, ridge]", "train.checkpoint_every=1"]


@pytest.fixture
def small_file(make_data, tmp_path):
    save_npz(make_data(size=80), tmp_path / "small.npz")
    return tmp_path / "small.npz"


def start(file, out, *more, epochs=3, seeds=(0, 1)):
    seeds = ["--method", "algcn", "--seeds", *map(str, seeds)]
    return command.main(["--dataset", str(file), "--out", str(out), "--epochs", str(epochs), *seeds, *more,
                         "--set", *SMALL])  # fmt: skip


def test_run_folder_and_table(small_file, tmp_path, capsys):
    out = tmp_path / "run"
    assert start(small_file, out) == 0
    printed = capsys.readouterr().out
    for word in ("test-vs-test", "query-vs-database", "| ridge", "| random", "| algcn", " ± "):
        assert word in printed
    metrics = json.loads((out / "metrics.json").read_text())
    jsonschema.validate(metrics, json.loads(SCHEMA.read_text()))
    assert {(entry["method"], entry["seeds"]) for entry in metrics["summary"]} == {
        ("random", 1), ("ridge", 1), ("algcn", 2),
    }  # fmt: skip
    for name in ("training", "precision-recall", "label-graph", "adjacency"):
        assert (out / "plots" / f"{name}.png").stat().st_size > 5_000
        assert f"plots/{name}.png" in (out / "report.md").read_text()
    page, report = ((out / f"report.{kind}").read_text() for kind in ("html", "md"))
    assert page.count("data:image/png;base64,") == report.count("](plots/") >= 4
    assert page.count("<table>") == report.count("| :-") > 5
    assert yaml.safe_load((out / "config.yaml").read_text())["train"]["epochs"] == 3
    assert json.loads((out / "environment.json").read_text())["packages"]["torch"]
    for seed in (0, 1):
        assert len((out / f"seed-{seed}" / "train" / "history.csv").read_text().splitlines()) == 1 + 3
        assert not list((out / f"seed-{seed}").rglob("*.ckpt"))
    assert not list(out.rglob("*part*"))


def test_a_logger_writes_in_the_folder_of_each_seed(small_file, tmp_path):
    start(small_file, tmp_path / "run", "--logger", "csv", epochs=2)
    for seed in (0, 1):
        logs = tmp_path / "run" / f"seed-{seed}" / "logs" / "train" / "csv"
        assert "validation_map" in (logs / "version_0" / "metrics.csv").read_text()


def test_without_a_method_nothing_is_trained(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command.main([]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: '--method' must be given: some of algcn, ") and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_help_and_wrong_names_are_answered_before_pytorch_is_imported(tmp_path):
    code = """
import sys
from benchmarks.run import main
for arguments in (["--help"], [], ["--method", "algnc"], ["--method", "algcn", "--dataset", "missing.npz"]):
    try:
        main(arguments)
    except SystemExit:
        pass
print(*sorted({"torch", "numpy", "lightning"} & set(sys.modules)))
"""
    root = str(Path(command.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.splitlines()[-1] == "" and "did you mean 'algcn'" in done.stderr


@pytest.mark.parametrize("name", ["ablate", "bits", "tuning", "speed", "scale", "synthetic"])
def test_help_does_not_import_pytorch(name):
    code = f"""
import runpy, sys
sys.argv = ["", "--help"]
try:
    runpy.run_module("benchmarks.{name}", run_name="__main__")
except SystemExit:
    pass
print("torch" in sys.modules)
"""
    root = str(Path(command.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert "Examples:" in done.stdout and done.stdout.splitlines()[-1] == "False"


def test_the_bare_package_lists_its_commands():
    root = Path(command.__file__).parents[1]
    done = subprocess.run([sys.executable, "-m", "benchmarks"], capture_output=True, text=True, check=True, cwd=root)
    for path in (root / "benchmarks").iterdir():
        if (path / "__main__.py").exists() or (path.suffix == ".py" and not path.stem.startswith("__")):
            assert f"python -m benchmarks.{path.stem} " in done.stdout


@pytest.mark.slow
def test_eval_repeats_the_numbers(small_file, tmp_path, capsys):
    start(small_file, tmp_path / "run")
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| algcn"))
    page = (tmp_path / "run" / "report.html").read_text()
    (tmp_path / "run" / "report.html").unlink()
    assert command.main(["--eval", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "report.html").read_text() == page
    again = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| algcn"))
    assert [cell.strip() for cell in row.split("|")][:5] == [cell.strip() for cell in again.split("|")][:5]


class Stop(Exception):
    pass


@pytest.mark.slow
def test_resumed_run_equals_uninterrupted(small_file, tmp_path):
    start(small_file, tmp_path / "whole", epochs=4)
    stopped = _interrupt_in_epoch(2)
    with pytest.raises(Stop):
        start(small_file, tmp_path / "halves", epochs=4)
    stopped.undo()
    assert command.main(["--resume", str(tmp_path / "halves")]) == 0
    for seed in (0, 1):
        for file in ("train/history.csv", "model/model-*.safetensors"):
            whole, halves = (next((tmp_path / name / f"seed-{seed}").glob(file)) for name in ("whole", "halves"))
            assert whole.read_bytes() == halves.read_bytes()


def _interrupt_in_epoch(epoch, only=lambda module: True):
    """Make training stop in the middle of an epoch."""
    from labelgraph.train import RetrievalModule

    step = RetrievalModule.training_step

    def interrupted(self, batch, batch_idx):
        if self.current_epoch == epoch and batch_idx == 0 and only(self):
            raise Stop
        return step(self, batch, batch_idx)

    context = pytest.MonkeyPatch()
    context.setattr(RetrievalModule, "training_step", interrupted)
    return context


def test_selection_on_test_is_marked(small_file, tmp_path, capsys):
    start(small_file, tmp_path / "run", "--select", "test", seeds=[0])
    assert "algcn (selected on test)" in capsys.readouterr().out
    report = (tmp_path / "run" / "report.md").read_text()
    assert "**Selected on test.**" in report
    assert "algcn (selected on test)" in report
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["select"] == "test"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "algnc"], "(got 'algnc'); did you mean 'algcn'?"),
        (["--dataset", "openclipat"], "'dataset' must be one of ['openclipart', 'openclipart-keywords']"),
        (["--dataset", "absent.npz"], "absent.npz: no such file or folder"),
        (["--set", "train.epoch=3"], "the nearest is 'train.epochs'"),
        (["--resume", "absent"], "absent: expected a run folder with config.yaml"),
        (["--eval", "absent"], "absent: expected a run folder with config.yaml"),
        (["--device", "abacus"], "abacus"),
        (["--device", "cuda"], "'device' must be one that this machine has"),
        (["--seeds", "1", "1"], "'seeds' must be distinct"),
        (["--method", "all", "dagnn"], "'method' must be one of"),
        (["--method", "algcn", "algcn"], "'--method' must name each method once"),
        (["--method", "algcn", "--set", "data.incomplete=0.5"], "'method' must have generators"),
        (["--method", "dagnn", "--set", "data.incomplete=1"], "must have complete items (got none"),
    ],
)
def test_wrong_options_are_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.chdir(tmp_path)
    named = {"--method", "--resume", "--eval"} & {*arguments}
    assert command.main(arguments if named else ["--method", "algcn", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not any(Path.cwd().rglob("*.yaml"))


def test_truncated_file_is_named(small_file, tmp_path, capsys):
    content = small_file.read_bytes()
    small_file.write_bytes(content[: len(content) // 2])
    assert start(small_file, tmp_path / "run") == 2
    assert "small.npz: expected a readable .npz file" in capsys.readouterr().err


def test_full_folder_is_kept(small_file, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("all I have")
    assert start(small_file, tmp_path / "run") == 2
    assert "'--out' must be a new or an empty folder" in capsys.readouterr().err
    assert (tmp_path / "run" / "thesis.tex").read_text() == "all I have"


def test_two_runs_of_one_folder_are_refused(small_file, tmp_path, capsys):
    assert start(small_file, tmp_path / "run", seeds=[0]) == 0
    with held(tmp_path / "run", "working"):
        assert start(small_file, tmp_path / "run", seeds=[1]) == 2
        assert command.main(["--resume", str(tmp_path / "run")]) == 2
        assert capsys.readouterr().err.count(f"the process {os.getpid()} is working in this folder") == 2
    assert not (tmp_path / "run" / "seed-1").exists()


@pytest.mark.parametrize("content", ['{"labelgraph": "0.1"}', '{"mine": 1}'])
def test_a_run_that_was_killed_before_it_started_can_be_given_again(small_file, tmp_path, content):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "environment.json").write_text(content)
    ours = "labelgraph" in content
    assert start(small_file, tmp_path / "run", seeds=[0]) == (0 if ours else 2)
    assert ours or (tmp_path / "run" / "environment.json").read_text() == content


def test_a_run_that_filled_the_disk_is_resumed(small_file, tmp_path, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "plots")

    with monkeypatch.context() as patch:
        patch.setattr(runner, "write_plots", full)
        assert start(small_file, tmp_path / "run", seeds=[0]) == 2
    advice = "No space left on device; make space and resume the run with --resume"
    assert advice in capsys.readouterr().err
    assert command.main(["--resume", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "report.md").is_file() and (tmp_path / "run" / "report.html").is_file()


def test_run_of_another_version(small_file, tmp_path, capsys):
    start(small_file, tmp_path / "run", seeds=[0])
    path = tmp_path / "run" / "config.yaml"
    path.write_text(path.read_text().replace("format: 1", "format: 99", 1))
    assert command.main(["--eval", str(tmp_path / "run")]) == 2
    assert "expected a run of format 1 (got format 99, written by labelgraph" in capsys.readouterr().err


def test_help_and_settings(capsys):
    with pytest.raises(SystemExit) as stop:
        command.main(["--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    for option in ("--method", "--dataset", "--seeds", "--set", "--config", "--select", "--resume", "--eval", "--out"):
        assert option in shown
    assert command.main(["--method", "algcn", "--list-settings"]) == 0
    assert "train.lr = 0.0002" in capsys.readouterr().out  # That of the data set.
    assert command.main(["--method", "algcn", "--list-settings", "--dataset", "other.npz", "--epochs", "7"]) == 0
    shown = capsys.readouterr().out
    assert "train.lr = 5.0e-05" in shown and "train.epochs = 7" in shown


def test_folder_that_is_no_run(tmp_path):
    (tmp_path / "config.yaml").write_text("just text")
    with pytest.raises(ValueError, match=r"config\.yaml: expected a run of format 1"):
        RunFolder(tmp_path).config()


GENERATORS = ["model.text_generator_channels=8", "model.image_generator_channels=8", "model.num_layers=1"]


def test_incomplete_items_are_trained_on_in_three_ways(small_file, tmp_path, capsys):
    out = tmp_path / "run"
    more = ["--method", "dagnn", "--set", "data.incomplete=0.6", "stage2.epochs=2", *GENERATORS]
    assert start(small_file, out, *more, seeds=[0]) == 0
    printed = capsys.readouterr().out
    for name in ("complete items alone", "missing sides as zeros", "missing sides generated"):
        assert f"| dagnn, {name}" in printed
        assert (out / "seed-0" / name.replace(" ", "-") / "model" / "model.json").is_file()
    jsonschema.validate(json.loads((out / "metrics.json").read_text()), json.loads(SCHEMA.read_text()))
    report = (out / "report.md").read_text()
    assert (
        "60% of the training items lack one side" in report
        and "## Discriminators" in report
        and "plots/discriminators.png" in report
    )
    assert command.main(["--eval", str(out)]) == 0
    again = capsys.readouterr().out
    for line in printed.splitlines():
        if line.startswith("| dagnn"):
            assert line.split("|")[2:5] in [other.split("|")[2:5] for other in again.splitlines()]


@pytest.mark.slow
def test_the_generators_stage_resumes(small_file, tmp_path):
    more = ["--method", "dagnn", "--set", "data.incomplete=0.6", "stage2.epochs=3", "stage2.lr=1e-3", *GENERATORS]
    start(small_file, tmp_path / "whole", *more, seeds=[0])
    out = tmp_path / "halves"
    stopped = _interrupt_in_epoch(2, only=lambda module: module.fill_missing)
    with pytest.raises(Stop):
        start(small_file, out, *more, seeds=[0])
    stopped.undo()
    assert command.main(["--resume", str(out)]) == 0
    model = "seed-0/missing-sides-generated/model/model-*.safetensors"
    assert next((tmp_path / "whole").glob(model)).read_bytes() == next(out.glob(model)).read_bytes()


@pytest.mark.slow
def test_several_methods_make_one_table(small_file, tmp_path, capfd):
    out = tmp_path / "all"
    small = ["model.graph_channels=[8, 8]", "model.bits=12", "train.batch_size=16"]
    assert start(small_file, out, "--method", "algcn", "agah", "--set", *small, epochs=1, seeds=[0, 1]) == 0
    printed = capfd.readouterr().out
    for row in ("| random", "| ridge", "| algcn", "| agah"):
        assert printed.count(row) == 2  # One a protocol.
    metrics = json.loads((out / "metrics.json").read_text())
    jsonschema.validate(metrics, json.loads(SCHEMA.read_text()))
    assert metrics["method"] == "algcn, agah"
    assert all(r["epoch_seconds"] > 0 and r["parameters"] > 0 for r in metrics["results"] if r["seed"] is not None)
    report = (out / "report.md").read_text()
    assert "codes of 12 bits by Hamming distance" in report and "(agah/report.md)" in report
    assert '<a href="agah/report.html">' in (out / "report.html").read_text()
    for picture in ("validation.png", "precision-recall.png"):
        assert (out / "plots" / picture).stat().st_size > 5_000 and f"plots/{picture}" in report
    assert "label-graph.png" in (out / "agah" / "report.md").read_text()
    assert not (out / "agah" / "plots" / "adjacency.png").exists()

    (out / "metrics.json").unlink()
    (out / "agah" / "metrics.json").unlink()
    assert command.main(["--resume", str(out)]) == 0
    assert json.loads((out / "metrics.json").read_text()) == metrics
    assert command.main(["--eval", str(out)]) == 0
    assert capfd.readouterr().out.count("| agah") == 4


@pytest.mark.slow
def test_label_vectors_come_from_a_file(small_file, tmp_path, capsys):
    (tmp_path / "words.txt").write_text("label 1 2 3\n0 1 1 1\n1 0 0 1\n")
    options = ["--set", f"data.label_vectors={tmp_path / 'words.txt'}"]
    assert start(small_file, tmp_path / "run", *options, epochs=1, seeds=(0,)) == 0
    method = load_method(tmp_path / "run" / "seed-0" / "model")
    assert method.label_branch.embedding.weight[:3].tolist() == [[1, 1.5, 2], [0.5, 1, 2], [1, 2, 3]]
    assert start(small_file, tmp_path / "own", *options, "model.label_embedding=one-hot", epochs=1, seeds=(0,)) == 0
    assert load_method(tmp_path / "own" / "seed-0" / "model").config.label_embedding == "one-hot"
    capsys.readouterr()
    assert start(small_file, tmp_path / "none", "--set", "model.label_embedding=given", epochs=1, seeds=(0,)) == 2
    assert "'model.label_embedding=given' needs 'data.label_vectors' (got none)" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("score", ["expected_relevance", "expected_shared"])
def test_label_scores_can_rank_instead_of_cosines(small_file, tmp_path, capsys, score):
    out = tmp_path / "run"
    assert start(small_file, out, "--set", f"eval.score={score}", seeds=[0], epochs=2) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| algcn"))
    ranked_by = {
        "expected_relevance": "the probability that two items share",
        "expected_shared": "the expected number of shared labels",
    }
    assert f"Methods rank by {ranked_by[score]}" in (out / "report.md").read_text()
    assert start(small_file, tmp_path / "own", seeds=[0], epochs=2) == 0
    own = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| algcn"))
    assert row.split("|")[2:4] != own.split("|")[2:4]  # Another ranking of the same model.
    assert command.main(["--eval", str(out)]) == 0
    again = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| algcn"))
    assert [cell.strip() for cell in row.split("|")][:5] == [cell.strip() for cell in again.split("|")][:5]


def test_a_method_without_label_scores_ranks_by_its_own(small_file, tmp_path, capsys):
    assert command.main(["--method", "agah", "--dataset", str(small_file), "--set", "eval.score=expected_relevance"])
    assert "'eval.score' must be 'own' for 'agah', which scores no labels, as algcn, " in capsys.readouterr().err


def test_training_labels_that_are_missing_or_unseen_are_measured_and_told(small_file, tmp_path, capsys):
    out = tmp_path / "run"
    noise = ["--set", "data.unseen_labels=1", "data.drop_labels=0.5"]
    assert start(small_file, out, *noise, epochs=1, seeds=(0,)) == 0
    assert "0 items" in capsys.readouterr().out
    metrics = json.loads((out / "metrics.json").read_text())
    jsonschema.validate(metrics, json.loads(SCHEMA.read_text()))
    for result in metrics["results"]:
        if result["method"] in ("algcn", "ridge"):
            assert result["classifiers"]["text"]["labels_by_count"]["0"] == 1
    (unseen,) = [
        i for i, count in enumerate(load_method(out / "seed-0" / "model")._graph["count"].tolist()) if not count
    ]
    assert f"Training never sees 1 of 5 labels (seed 0): label {unseen}." in (out / "report.md").read_text()
    assert "labels of the training items are missing" in (out / "report.md").read_text()
    assert command.main(["--eval", str(out)]) == 0
    assert "0 items" in capsys.readouterr().out


def test_two_processes_train_one_run(small_file, tmp_path):
    out = tmp_path / "run"
    words = ["-m", "benchmarks.run", "--dataset", small_file, "--out", out, "--epochs", "2", "--devices", "2"]
    words += ["--method", "dagnn", "--seeds", "0", "--set", "data.incomplete=0.5", "stage2.epochs=1", *SMALL]
    words.remove("train.lr=1e-3")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run([*torchrun, *words], capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("Report: ") == 1 and "| dagnn" in done.stdout
    folder = RunFolder(out)
    assert len([*out.rglob("history.csv")]) == len([*out.rglob("model.json")]) == 3
    assert folder.metrics.is_file() and not [*out.rglob("*.ckpt")]
    words = [*words[:2], "--resume", out]
    again = subprocess.run([*torchrun, *words], capture_output=True, text=True, timeout=250, check=False)
    assert again.returncode == 0, again.stderr[-3000:]


def test_several_methods_are_not_trained_by_several_processes(small_file, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    words = ["--dataset", str(small_file), "--out", str(tmp_path / "run"), "--method", "algcn", "agah"]
    assert command.main([*words, "--devices", "2"]) == 2
    assert "'--method' must be one method" in capsys.readouterr().err and not (tmp_path / "run").exists()
