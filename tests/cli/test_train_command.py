"""`labelgraph train`: what it makes, how it goes on, what it refuses."""

import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import labelgraph
from labelgraph.cli.main import main
from labelgraph.data import LabelNoise, drop_modalities, save_npz
from labelgraph.data.splits import training_splits
from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import METHODS, ALGCNConfig, build_method, load_method
from labelgraph.train import RetrievalModule, TrainConfig, fit
from tests.cli.small import SMALL


def train(data, out, *more, epochs=4, quiet=True):
    options = ["--epochs", str(epochs), *(["--quiet"] if quiet else []), *SMALL]
    return main(["train", str(data), "--out", str(out), *options, *more])


def equal(left, right):
    states = [load_method(folder).state_dict() for folder in (left, right)]
    return all(torch.equal(states[0][key], states[1][key]) for key in states[0])


class Stop(Exception):
    pass


@pytest.fixture
def stop_in_epoch(monkeypatch):
    """Gives a function that makes training stop in the middle of an epoch, and one that undoes it."""
    step = RetrievalModule.training_step

    def stop(epoch, error=Stop):
        def interrupted(self, batch, batch_idx):
            if self.current_epoch == epoch and batch_idx == 1:
                raise error
            return step(self, batch, batch_idx)

        monkeypatch.setattr(RetrievalModule, "training_step", interrupted)

    return stop, lambda: monkeypatch.setattr(RetrievalModule, "training_step", step)


def test_the_model_is_that_of_the_library(place, pairs, tmp_path, capsys):
    assert train(place / "data.npz", tmp_path / "model", "--seed", "3", "--json") == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    torch.manual_seed(3)
    part = pairs.split("train")
    published = {"gamma": 0.5, "label_embedding": "learned", "alpha": 0.2, "structure_weight": 0.5, "threshold": 0.4}
    config = ALGCNConfig(hidden_channels=8, num_layers=1, **published)
    method = build_method("algcn", 12, 9, cooccurrence_graph(part.labels, part.label_names), config)
    how = TrainConfig(epochs=4, batch_size=16, lr=3e-3, device="cpu")
    fitted = fit(method, pairs, how, tmp_path / "by-hand", seed=3, progress=False)
    loaded = load_method(tmp_path / "model")
    assert loaded.config == config
    assert all(torch.equal(value, loaded.state_dict()[key]) for key, value in method.state_dict().items())

    record = json.loads(printed.out)
    assert record.pop("model") == str(tmp_path / "model")
    assert record == json.loads((tmp_path / "model" / "training.json").read_text())
    assert record["history"] == fitted.history and record["best_map"] == fitted.best_map
    assert (record["best_epoch"], record["epochs"], record["seed"]) == (fitted.best_epoch, 4, 3)
    assert (record["method"], record["selected_on"], record["held_out"]) == ("algcn", "validation", None)
    assert record["labelgraph"] == labelgraph.__version__ and record["seconds"] > 0
    assert record["settings"]["train"]["lr"] == 3e-3 and record["settings"]["model"]["gamma"] == 0.5
    assert record["data"]["name"] == str(place / "data.npz") and record["data"]["train"] == 30
    assert sorted(path.name for path in tmp_path.iterdir()) == ["by-hand", "model"]


def test_data_without_splits_have_a_tenth_held_out(place, tmp_path, capsys):
    assert train(place / "bare.npz", tmp_path / "model", quiet=False) == 0
    printed = capsys.readouterr()
    assert "no split 'train' in the data: training on 60 of 60 items" in printed.err
    assert "'validation' in the data: 6 random training items (seed 0)" in printed.err
    assert "Trained algcn on 54 items" in printed.out and "mAP" in printed.out
    assert json.loads((tmp_path / "model" / "training.json").read_text())["held_out"] == 0.1


def test_of_many_items_no_more_are_held_out_than_can_search_each_other(place, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training_splits, "MOST_HELD_OUT", 3)
    assert train(place / "bare.npz", tmp_path / "model", quiet=False) == 0
    assert "3 random training items (seed 0) are held out" in capsys.readouterr().err
    assert json.loads((tmp_path / "model" / "training.json").read_text())["held_out"] == 3 / 60


def test_without_a_training_split_what_evaluates_is_not_trained_on(pairs, tmp_path, capsys):
    labels = pairs.labels.clone()
    free = [i for i in range(60) if i not in pairs.splits["test"].tolist()]
    labels[free[:3]] = 0
    changed = replace(pairs, labels=labels, splits={"test": pairs.splits["test"]})
    save_npz(changed, tmp_path / "data.npz")
    assert train(tmp_path / "data.npz", tmp_path / "model", "--select", "last", quiet=False) == 0
    printed = capsys.readouterr()
    assert "training on 37 of 60 items" in printed.err and "held out" not in printed.err
    record = json.loads((tmp_path / "model" / "training.json").read_text())
    assert (record["data"]["train"], record["selected_on"], record["best_map"]) == (37, None, None)


def test_a_logger_writes_beside_the_model_and_is_checked_before_the_data_are_read(place, tmp_path, monkeypatch, capsys):
    assert train(place / "data.npz", tmp_path / "a.model", "--logger", "csv", epochs=2) == 0
    logged = (tmp_path / "a.model.logs" / "train" / "csv" / "version_0" / "metrics.csv").read_text()
    assert "validation_map" in logged and "total" in logged and "lr-" in logged
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.model", "a.model.logs"]
    with pytest.raises(SystemExit):
        train(place / "none.npz", tmp_path / "b", "--logger", "tensorbord")
    assert "--logger" in (err := capsys.readouterr().err) and "did you mean 'tensorboard'" in err
    monkeypatch.setattr("labelgraph.train.loggers.find_spec", lambda name: None)
    monkeypatch.setattr("labelgraph.cli.train_command.load", lambda data: pytest.fail("the data were read"))
    assert train(place / "data.npz", tmp_path / "b", "--logger", "wandb") == 2
    assert 'pip install "labelgraph[wandb]"' in (err := capsys.readouterr().err) and err.count("\n") == 1


@pytest.mark.slow
def test_an_interrupted_training_goes_on_by_itself(place, tmp_path, stop_in_epoch, capsys):
    stop, undo = stop_in_epoch
    assert train(place / "data.npz", tmp_path / "whole") == 0
    assert train(place / "data.npz", tmp_path / "model", "--seed", "1") == 0
    stop(2)
    with pytest.raises(Stop):
        train(place / "data.npz", tmp_path / "model")
    undo()
    assert json.loads((tmp_path / "model" / "training.json").read_text())["seed"] == 1  # Whole, the one before.
    load_method(tmp_path / "model")
    assert train(place / "data.npz", tmp_path / "model", quiet=False) == 0
    assert "resuming the interrupted training in" in capsys.readouterr().err
    assert equal(tmp_path / "whole", tmp_path / "model")
    assert not (tmp_path / "model.training").exists()
    history = [json.loads((tmp_path / name / "training.json").read_text())["history"] for name in ("whole", "model")]
    assert history[0] == history[1]


def test_a_training_that_could_not_be_saved_is_not_repeated(place, tmp_path, stop_in_epoch, monkeypatch, capsys):
    stop, _ = stop_in_epoch
    assert train(place / "data.npz", tmp_path / "whole") == 0

    def full(self, folder):
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    with monkeypatch.context() as patched:
        patched.setattr("labelgraph.methods.base.Method.save_pretrained", full)
        assert train(place / "data.npz", tmp_path / "model") == 2
    error = capsys.readouterr().err
    assert error == (
        f"error: {tmp_path / 'model'}: No space left on device; make space and give the same command again\n"
    )
    stop(0)
    assert train(place / "data.npz", tmp_path / "model") == 0
    assert equal(tmp_path / "whole", tmp_path / "model")


@pytest.mark.slow
def test_other_settings_or_data_than_those_of_the_unfinished_training(place, pairs, tmp_path, stop_in_epoch, capsys):
    stop, undo = stop_in_epoch
    save_npz(pairs, tmp_path / "data.npz")
    stop(1)
    with pytest.raises(Stop):
        train(tmp_path / "data.npz", tmp_path / "model")
    undo()
    assert train(tmp_path / "data.npz", tmp_path / "model", "model.alpha=0.7", "--seed", "2") == 2
    error = capsys.readouterr().err
    assert "differs in seed (0, now 2), settings.model.alpha (0.2, now 0.7)" in error and "--restart" in error
    text = pairs.text.clone()
    text[3, 3] += 1
    save_npz(replace(pairs, text=text), tmp_path / "data.npz")
    assert train(tmp_path / "data.npz", tmp_path / "model") == 2
    assert "differs in data.text;" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
    assert train(tmp_path / "data.npz", tmp_path / "model", "--restart") == 0
    save_npz(replace(pairs, text=text), tmp_path / "again.npz")
    assert train(tmp_path / "again.npz", tmp_path / "whole") == 0
    assert equal(tmp_path / "whole", tmp_path / "model")


def test_damaged_state_of_an_unfinished_training(place, tmp_path, stop_in_epoch, capsys):
    stop, undo = stop_in_epoch
    stop(1)
    with pytest.raises(Stop):
        train(place / "data.npz", tmp_path / "model")
    undo()
    (tmp_path / "model.training" / "training.json").write_bytes(b"{")
    assert train(place / "data.npz", tmp_path / "model") == 2
    assert "--restart" in capsys.readouterr().err
    (tmp_path / "model.training" / "training.json").unlink()  # As a kill while tidying up leaves it.
    assert train(place / "data.npz", tmp_path / "model") == 0
    assert not (tmp_path / "model.training").exists()


@pytest.mark.parametrize("more", [[], ["--restart"]])
def test_a_folder_of_something_else_is_kept(place, tmp_path, capsys, more):
    (tmp_path / "model.training").mkdir()
    (tmp_path / "model.training" / "thesis.tex").write_text("all I have")
    assert train(place / "data.npz", tmp_path / "model", *more) == 2
    assert "model.training: expected an unfinished training (got thesis.tex)" in capsys.readouterr().err
    assert (tmp_path / "model.training" / "thesis.tex").read_text() == "all I have"


@pytest.mark.slow
def test_incomplete_items_are_learned_from_in_two_stages(pairs, tmp_path, capsys):
    save_npz(drop_modalities(pairs, 0.6), tmp_path / "data.npz")
    more = ["model.text_generator_channels=8", "model.image_generator_channels=8", "stage2.epochs=2",
            "stage2.checkpoint_every=1", "stage2.lr=1e-3", "--method", "dagnn"]  # fmt: skip
    assert train(tmp_path / "data.npz", tmp_path / "whole", *more, epochs=2) == 0
    filled = []
    fill = METHODS["dagnn"].fill_missing

    def stop_in_the_second_epoch(self, *arguments):
        filled.append(1)
        if len(filled) == 2:  # A step an epoch, in batches of 100.
            raise Stop
        return fill(self, *arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(METHODS["dagnn"], "fill_missing", stop_in_the_second_epoch)
        with pytest.raises(Stop):
            train(tmp_path / "data.npz", tmp_path / "model", *more, epochs=2)
    assert train(tmp_path / "data.npz", tmp_path / "model", *more, epochs=2) == 0
    assert equal(tmp_path / "whole", tmp_path / "model")
    assert train(tmp_path / "data.npz", tmp_path / "other", epochs=2) == 2
    assert "'method' must have generators" in capsys.readouterr().err


def test_codes_and_a_file_of_settings(place, tmp_path):
    (tmp_path / "mine.yaml").write_text("model: {bits: 16, alpha: 0.9}\ntrain: {epochs: 9}\n")
    more = ["--config", str(tmp_path / "mine.yaml"), "--set", "model.alpha=0.6"]
    assert train(place / "data.npz", tmp_path / "model", *more, epochs=2) == 0
    method = load_method(tmp_path / "model")
    assert (method.similarity, method.config.bits, method.config.alpha) == ("hamming", 16, 0.6)
    assert json.loads((tmp_path / "model" / "training.json").read_text())["epochs"] == 2


def test_a_small_set_has_a_higher_learning_rate_unless_it_is_set(place, tmp_path, capsys):
    command = [
        "train",
        str(place / "data.npz"),
        "--method",
        "algcn",
        "--epochs",
        "1",
        "--set",
        "model.hidden_channels=8",
    ]

    def rate(name, *more):
        assert main([*command, *more, "--out", str(tmp_path / name)]) == 0
        lines = [line for line in capsys.readouterr().err.splitlines() if "published" in line]
        return json.loads((tmp_path / name / "training.json").read_text())["settings"]["train"]["lr"], lines

    advice = "--set train.lr=5e-05 keeps the published values"
    assert rate("higher") == (
        2e-4, [f"30 training items are fewer than 5,000: train.lr is 0.0002 (published: 5e-05); {advice}"],
    )  # fmt: skip
    assert rate("quiet", "--quiet") == (2e-4, [])
    assert rate("kept", "--set", "train.lr=5e-05") == (5e-5, [])
    (tmp_path / "mine.yaml").write_text("train: {lr: 1e-3}\n")
    assert rate("file", "--config", str(tmp_path / "mine.yaml")) == (1e-3, [])


def test_a_wrong_value_names_the_file_that_has_it(place, tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text("train: {betas: 3}")
    train = ["train", str(place / "data.npz"), "--method", "algcn", "--out", str(tmp_path / "m"), "--config"]
    assert main([*train, str(tmp_path / "mine.yaml")]) == 2
    assert "mine.yaml: expected settings (got 'train.betas' must be" in capsys.readouterr().err
    (tmp_path / "mine.yaml").write_text("train: {epochs: 3}")
    assert main([*train, str(tmp_path / "mine.yaml"), "--set", "train.betas=3"]) == 2
    printed = capsys.readouterr().err
    assert "'train.betas' must be" in printed and "mine.yaml" not in printed


def test_training_labels_can_be_missing_and_unseen(place, pairs, tmp_path, capsys):
    noise = ["data.unseen_labels=[dog]", "data.drop_labels=0.5", "data.label_seed=1"]
    train = ["train", str(place / "data.npz"), "--out", str(tmp_path / "model"), "--epochs", "1", *SMALL, *noise]
    assert main(train) == 0
    told = capsys.readouterr().err
    assert "never sees 1 of 5 labels (seed 1): dog." in told and "labels of the training items are missing" in told
    read = LabelNoise(drop_labels=0.5, unseen_labels=["dog"], label_seed=1).apply(pairs)
    graph = load_method(tmp_path / "model")._graph
    assert graph["count"].tolist() == read.split("train").labels.sum(0).tolist()
    assert graph["count"][pairs.label_names.index("dog")] == 0
    made = json.loads((tmp_path / "model" / "training.json").read_text())
    assert made["settings"]["data"] == {"drop_labels": 0.5, "unseen_labels": ["dog"], "label_seed": 1}
    assert made["data"]["train"] == len(read.split("train"))
    assert main(["evaluate", str(tmp_path / "model"), str(place / "data.npz"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["results"][0]["labels"]["image"]
    assert found["num_labels"] == 5 and found["labels_by_count"]["0"] >= 1  # All labels are measured.


@pytest.mark.parametrize("method", METHODS)
def test_the_settings_are_listed(method, capsys):
    assert main(["train", "--list-settings", "--method", method]) == 0
    lines = dict(line.strip().split(" = ", 1) for line in capsys.readouterr().out.splitlines())
    assert main(["train", "--list-settings", "--method", method, "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {f"{group}.{name}" for group, entries in listed.items() for name in entries} == set(lines)
    assert (
        listed["train"]["lr"]
        == float(lines["train.lr"])
        == {"agah": 0.01, "expected-relevance": 0.003}.get(method, 5e-5)
    )  # As published.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{data}"], "DATA and --out MODEL must be given"),
        (["--out", "{out}"], "DATA and --out MODEL must be given"),
        (["{data}", "--out", "{out}", "--method", "algnc"], "did you mean 'algcn'?"),
        (["{data}", "--out", "{out}", "--set", "train.epoch=3"], "the nearest is 'train.epochs'"),
        (
            ["{data}", "--out", "{out}", "--set", "train.epochs=many"],
            "'train.epochs' must be a positive whole number (got 'many')",
        ),
        (["{data}", "--out", "{out}", "--set", "train.optimizer=adm"], "(got 'adm'); did you mean 'adam'?"),
        (["{data}", "--out", "{out}", "--set", "train.lr=.nan"], "'train.lr' must be a positive number (got nan)"),
        (["{data}", "--out", "{out}", "--set", "train.epochs=[3"], "'--set' must have a value in YAML"),
        (["{data}", "--out", "{out}", "--config", "{out}.yaml"], "model.yaml: no such file of settings"),
        (["{data}", "--out", "{out}", "--device", "cuda"], "'device' must be one that this machine has"),
        (["{data}", "--out", "{out}", "--epochs", "0"], "'train.epochs' must be a positive whole number (got 0)"),
        (
            ["{data}", "--out", "{out}", "--set", "model.bits=0"],
            "'model.bits' must be a positive whole number or none (got 0)",
        ),
        (["{data}", "--out", "{data}"], "'--out' must be a folder (got {data}, which is a file)"),
        (["{data}", "--out", "{data}/model"], "(got {data}/model, where {data} is a file)"),
        (["{data}", "--out", "/"], "'--out' must be a folder with a name"),
        (["{data}x", "--out", "{out}"], "did you mean '{data}'?"),
        (["openclipat", "--out", "{out}"], "did you mean 'openclipart'?"),
        (["{cut}", "--out", "{out}"], "cut.npz: expected a readable .npz file"),
        (["{eye}", "--out", "{out}"], "--select last"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(place, pairs, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    names = {"data": tmp_path / "data.npz", "out": tmp_path / "model", "cut": tmp_path / "cut.npz"}
    names["eye"] = tmp_path / "eye.npz"
    save_npz(pairs, names["data"])
    names["cut"].write_bytes(names["data"].read_bytes()[:500])
    save_npz(replace(pairs.select(range(5)), labels=np.eye(5)), names["eye"])
    before = sorted(tmp_path.rglob("*"))
    assert main(["train", *(each.format(**names) for each in arguments)]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: ") and printed.err.count("\n") == 1
    assert message.format(**names) in printed.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(("read_only", "target"), [("", "model.training"), ("model", "model")])
def test_a_read_only_folder_is_refused_before_training(place, tmp_path, monkeypatch, capsys, read_only, target):
    (tmp_path / "model").mkdir()
    open_file = os.open

    def refuse(path, flags, *more, **options):
        if flags & os.O_CREAT and Path(path).parent == tmp_path / read_only:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return open_file(path, flags, *more, **options)

    monkeypatch.setattr(os, "open", refuse)
    assert train(place / "data.npz", tmp_path / "model") == 2
    assert f"error: {tmp_path / target}: Permission denied" in capsys.readouterr().err
    assert not (tmp_path / "model.training").exists()


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_keeps_the_model(place, tmp_path):
    """A limit on the size of files stands for it: the settings can be written, the checkpoint fails half-way."""
    assert train(place / "data.npz", tmp_path / "model", "--seed", "1") == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    code = """
import resource, signal, sys
import labelgraph.train
from labelgraph.cli.main import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, resource.RLIM_INFINITY))
sys.exit(main(sys.argv[1:]))
"""
    options = ["train", str(place / "data.npz"), "--out", str(tmp_path / "model"), "--epochs", "2", "--quiet", *SMALL]
    done = subprocess.run([sys.executable, "-c", code, *options], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1, done.stderr
    assert "cannot save" in done.stderr and "too large" in done.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()} == before
    assert train(place / "data.npz", tmp_path / "model", epochs=2) == 0
    assert train(place / "data.npz", tmp_path / "whole", epochs=2) == 0
    assert equal(tmp_path / "model", tmp_path / "whole")


def test_control_c_says_how_to_go_on(place, tmp_path, stop_in_epoch, capsys):
    stop, undo = stop_in_epoch
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        stop(1, KeyboardInterrupt)
        assert train(place / "data.npz", tmp_path / "model") == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == "interrupted; give the same command again to resume the training\n"
    undo()
    assert train(place / "data.npz", tmp_path / "model") == 0


@pytest.mark.slow
def test_killed_at_random_points_the_model_is_whole_and_training_goes_on(tmp_path):
    command = [sys.executable, "-m", "tests.cli.kill_command", "train", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    states = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(states) == 12
    for state in states:
        assert state["then"] in ("previous", "new") and state["in the end"] == "new", states
    assert sum(state["went on"] for state in states) >= 2 and {state["then"] for state in states} >= {"previous"}


GLOVE = "sky 1 0 0.5\ndog 0 2 0\nSea 0 0 3\nthe 9 9 9\na 0 1 1\n"


def test_label_vectors_are_what_labels_start_from(place, pairs, tmp_path, capsys):
    (tmp_path / "glove.txt").write_text(GLOVE)
    assert (
        train(place / "data.npz", tmp_path / "model", "--label-vectors", str(tmp_path / "glove.txt"), quiet=False) == 0
    )
    noted = capsys.readouterr().err
    assert "has no vector for 1 of 5 labels" in noted and "'été'" in noted
    loaded = load_method(tmp_path / "model")
    wanted = torch.tensor([[1, 0, 0.5], [0, 0, 0], [0, 1, 1], [0, 2, 0], [0, 0, 3]])
    assert loaded.config.label_embedding == "given"
    assert torch.equal(loaded.label_branch.embedding.weight.detach(), wanted)
    record = json.loads((tmp_path / "model" / "training.json").read_text())
    assert len(record["label_vectors"]) == 64 and record["settings"]["model"]["label_embedding"] == "given"


def test_a_training_goes_on_with_the_same_label_vectors_alone(place, tmp_path, stop_in_epoch, capsys):
    stop, undo = stop_in_epoch
    (tmp_path / "glove.txt").write_text(GLOVE)
    more = ["--label-vectors", str(tmp_path / "glove.txt")]
    stop(2)
    with pytest.raises(Stop):
        train(place / "data.npz", tmp_path / "model", *more)
    undo()
    (tmp_path / "glove.txt").write_text(GLOVE.replace("dog 0 2 0", "dog 0 2 1"))
    assert train(place / "data.npz", tmp_path / "model", *more) == 2
    assert "the unfinished training in this folder differs in label_vectors" in capsys.readouterr().err
    (tmp_path / "glove.txt").write_text(GLOVE)
    assert train(place / "data.npz", tmp_path / "model", *more, quiet=False) == 0
    assert "resuming the interrupted training" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--label-vectors", "none.txt"], "none.txt: no such file of word vectors"),
        (["--label-vectors", "other.txt"], "expected vectors of the label names (got none of sky, été, a b, dog, sea)"),
        (
            ["--label-vectors", "glove.txt", "--method", "agah"],
            "'--label-vectors' needs a method with label embeddings",
        ),
        (
            ["--label-vectors", "glove.txt", "--set", "model.label_embedding=one-hot"],
            "must be set together (got one alone",
        ),
        (["--set", "model.label_embedding=given"], "the data have no vectors"),
    ],
)
def test_label_vectors_that_do_not_fit_are_refused(place, tmp_path, monkeypatch, capsys, more, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "glove.txt").write_text(GLOVE)
    (tmp_path / "other.txt").write_text("cat 1 2\n")
    assert main(["train", str(place / "data.npz"), "--out", "model", "--quiet", "--method", "algcn", *more]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not (tmp_path / "model").exists()


def test_label_vectors_of_a_sentence_encoder(place, tmp_path, monkeypatch):
    class Lengths:
        def encode(self, texts):
            return [[len(text), 1.0] for text in texts]

    monkeypatch.setattr("labelgraph.encoders.word_vectors.SentenceEncoder", Lengths)
    assert train(place / "data.npz", tmp_path / "model", "--label-vectors", "sentence", epochs=1) == 0
    weight = load_method(tmp_path / "model").label_branch.embedding.weight
    assert weight.tolist() == [[3, 1], [3, 1], [3, 1], [3, 1], [3, 1]]


HOLD = """
import sys, time
from pathlib import Path
from labelgraph.cli.training_folder import TrainingFolder
with TrainingFolder(Path(sys.argv[1])).held():
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_trainings_of_one_model_are_refused_and_a_dead_one_is_not_in_the_way(place, tmp_path, capsys):
    environment = {**os.environ, "PYTHONPATH": str(Path(labelgraph.__file__).parents[1])}
    command = [sys.executable, "-c", HOLD, str(tmp_path / "model.training")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as other:
        assert other.stdout.readline() == "held\n"
        for _ in range(2):  # Being refused leaves the lock as it is.
            assert train(place / "data.npz", tmp_path / "model", "--restart") == 2
            assert f"the process {other.pid} is training in this folder; wait for it" in capsys.readouterr().err
        assert not (tmp_path / "model").exists()
        other.kill()
    assert (tmp_path / "model.training" / "lock").read_text() == str(other.pid)
    assert train(place / "data.npz", tmp_path / "model", epochs=1) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]
