"""A method on disk."""

import json

import numpy as np
import pytest
import torch

from labelgraph.graph import BinaryAdjacency, cooccurrence_graph
from labelgraph.methods import ALGCN, ALGCNConfig

X = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
LABELS = np.random.default_rng(0).random((30, 4)) < 0.4
GRAPH = cooccurrence_graph(LABELS, ["sky", "été", "a b", "3"], x=X)
CONFIGS = {
    "adaptive": ALGCNConfig(hidden_channels=8, gamma=0.3),
    "static": ALGCNConfig(hidden_channels=8, adjacency="static", num_layers=2),
    "learned": ALGCNConfig(hidden_channels=8, label_embedding="learned", embedding_channels=5),
    "given": ALGCNConfig(hidden_channels=8, label_embedding="given"),
    "no graph": ALGCNConfig(hidden_channels=8, num_layers=0, label_embedding="one-hot"),
}


def build(config, graph=GRAPH):
    method = ALGCN.from_config(config, 7, 5, graph)
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.add_(torch.randn_like(parameter))
    return method


@pytest.fixture
def saved(tmp_path):
    build(CONFIGS["adaptive"]).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_round_trip_gives_equal_outputs(tmp_path, config):
    method = build(config)
    method.save_pretrained(tmp_path / "deep" / "model")
    again = ALGCN.from_pretrained(tmp_path / "deep" / "model")
    assert again.config == config and not again.training
    image, text = torch.randn(3, 7), torch.randn(3, 5)
    expected = method.eval()(image, text)
    for name, output in again(image, text).items():
        assert torch.equal(output, expected[name]), name
    assert sorted(path.name for path in (tmp_path / "deep" / "model").iterdir()) == [
        "model.json",
        "model.safetensors",
    ]


def test_a_loaded_method_can_be_saved_again(saved, tmp_path):
    ALGCN.from_pretrained(saved).save_pretrained(tmp_path / "again")
    for name in ("model.json", "model.safetensors"):
        assert (saved / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_graph_without_counts_or_embeddings(tmp_path):
    config = ALGCNConfig(hidden_channels=8, label_embedding="one-hot")
    method = build(config, BinaryAdjacency()(cooccurrence_graph(LABELS)))
    method.save_pretrained(tmp_path)
    image, text = torch.randn(3, 7), torch.randn(3, 5)
    assert torch.equal(
        ALGCN.from_pretrained(tmp_path)(image, text)["image_scores"],
        method.eval()(image, text)["image_scores"],
    )


def test_saving_replaces_an_older_model(saved):
    build(CONFIGS["static"]).save_pretrained(saved)
    assert ALGCN.from_pretrained(saved).config == CONFIGS["static"]


def test_a_method_of_own_parts_cannot_be_saved(tmp_path):
    method = build(CONFIGS["static"])
    own = ALGCN(method.image_projector, method.text_projector, method.label_branch, method.config)
    with pytest.raises(ValueError, match="'save_pretrained' needs a method built by 'from_config'"):
        own.save_pretrained(tmp_path)


@pytest.mark.parametrize("place", [0, 100, -1])
def test_a_flipped_byte_is_refused(saved, place):
    path = saved / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.safetensors: expected SHA-256 .* damaged"):
        ALGCN.from_pretrained(saved)


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_a_truncated_file_is_refused(saved, name):
    path = saved / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=f"{name}: expected"):
        ALGCN.from_pretrained(saved)


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_a_missing_file_is_named(saved, name):
    (saved / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        ALGCN.from_pretrained(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, r"expected a model of format 1 \(got 2\)"),
        ({"format": None}, r"expected a model of format 1 \(got None\)"),
        ({"method": "dagnn"}, r"expected the method 'algcn' \(got 'dagnn'\)"),
        ({"config": {"depth": 3}}, "expected the configuration of 'algcn'.*depth"),
        ({"config": {"hidden_channels": 9}}, "parameters do not fit the model"),
        ({"image_channels": 70}, "parameters do not fit the model"),
        ({"sha256": "0"}, "expected SHA-256 0"),
    ],
)
def test_a_wrong_meaning_is_refused(saved, changes, message):
    path = saved / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ValueError, match=message) as error:
        ALGCN.from_pretrained(saved)
    assert str(saved) in str(error.value)


@pytest.mark.parametrize("key", ["format", "sha256", "label_names", "num_samples", "config", "method"])
def test_a_missing_entry_is_refused(saved, key):
    path = saved / "model.json"
    meaning = json.loads(path.read_text())
    del meaning[key]
    path.write_text(json.dumps(meaning))
    with pytest.raises(ValueError, match=r"model\.json: expected"):
        ALGCN.from_pretrained(saved)


@pytest.mark.parametrize("content", ["[]", "3", "null", "{", ""])
def test_json_of_another_kind_is_refused(saved, content):
    (saved / "model.json").write_text(content)
    with pytest.raises(ValueError, match=r"model\.json: expected"):
        ALGCN.from_pretrained(saved)
