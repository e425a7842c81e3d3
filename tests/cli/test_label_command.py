"""`labelgraph label add`: a label without training."""

import json
from dataclasses import replace

import numpy as np
import pytest

from labelgraph.cli.main import main
from labelgraph.data import save_npz
from labelgraph.methods import load_method
from tests.cli.small import small_data

WORDS = ("red", "blue", "green", "grey", "white", "black", "big", "old", "new")


@pytest.fixture
def folder(tmp_path, capsys):
    """A model whose labels are sky, été, a b, dog and sea, with a vector each."""
    data = replace(small_data(), label_vectors=np.eye(5, dtype=np.float32))
    save_npz(data, tmp_path / "data.npz")
    np.save(tmp_path / "owl.npy", np.array([0.0, 0, 0, 4, 3]))
    train = ["train", str(tmp_path / "data.npz"), "--out", str(tmp_path / "model"), "--epochs", "1", "--quiet"]
    assert main([*train, "--set", "model.hidden_channels=8", "train.device=cpu"]) == 0
    capsys.readouterr()
    return tmp_path


def test_a_label_is_added_to_a_saved_model(folder, capsys):
    before = load_method(folder / "model")
    assert main(["label", "add", str(folder / "model"), "owl", "--vector", str(folder / "owl.npy")]) == 0
    printed = capsys.readouterr().out
    assert "owl: not a trained label; nearest labels: dog .80, sea .60" in printed
    assert "labelgraph index" in printed
    after = load_method(folder / "model")
    assert list(after._graph.label_names) == [*before._graph.label_names, "owl"]
    # The data without the label are evaluated as before.
    assert main(["evaluate", str(folder / "model"), str(folder / "data.npz"), "--json"]) == 0
    (result, *_) = json.loads(capsys.readouterr().out)["results"]
    assert result["labels"]["image"]["num_labels"] == 5


def test_an_added_label_is_a_word_of_texts(folder, capsys):
    data = replace(small_data(), encoders={"text": {"encoder": "bag-of-words", "vocabulary": list(WORDS)}})
    save_npz(replace(data, label_vectors=np.eye(5, dtype=np.float32)), folder / "data.npz")
    again = ["train", str(folder / "data.npz"), "--out", str(folder / "worded"), "--epochs", "1", "--quiet"]
    assert main([*again, "--set", "model.hidden_channels=8", "train.device=cpu"]) == 0
    search = ["search", str(folder / "worded"), "--data", str(folder / "data.npz"), "-k", "2", "--json"]
    assert main([*search, "--text", "an owl"]) == 2
    assert main(["label", "add", str(folder / "worded"), "owl", "--vector", str(folder / "owl.npy")]) == 0
    capsys.readouterr()
    assert main([*search, "--text", "an owl"]) == 0
    (query,) = json.loads(capsys.readouterr().out)["queries"]
    assert len(query["neighbours"]) == 2


def test_the_placement_is_printed_for_scripts(folder, capsys):
    vector = str(folder / "owl.npy")
    assert main(["label", "add", str(folder / "model"), "owl", "--vector", vector, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["label"] == "owl" and printed["nearest"] == pytest.approx({"dog": 0.8, "sea": 0.6}, abs=1e-3)


def test_errors_leave_the_model(folder, capsys):
    model = str(folder / "model")
    before = (folder / "model" / "model.json").read_bytes()
    for arguments, message in (
        ([model, "dog", "--vector", str(folder / "owl.npy")], "'name' must be a new label (got 'dog'"),
        ([model, "owl", "--vector", str(folder / "cat.npy")], "cat.npy: no such file of vectors"),
        ([str(folder / "mdl"), "owl"], "did you mean 'model'?"),
    ):
        assert main(["label", "add", *arguments]) == 2
        assert message in capsys.readouterr().err
    assert (folder / "model" / "model.json").read_bytes() == before
