"""The registry of methods."""

import subprocess
import sys

import pytest
import torch

from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import ALGCN, METHODS, ALGCNConfig, DAGNNConfig, Method, build_method, load_method, method_class
from tests.methods.edited_model import edit_model

GRAPH = cooccurrence_graph([[1, 1, 0], [0, 0, 1]])


def test_names_agree_with_the_classes():
    for name, method in METHODS.items():
        assert method.name == name and issubclass(method, Method) and method_class(name) is method


@pytest.mark.parametrize("call", [method_class, lambda name: build_method(name, 4, 3, GRAPH)])
def test_an_unknown_method_lists_the_known_ones(call):
    with pytest.raises(ValueError, match=r"'method' must be one of agah, algcn, .*\(got 'resnet'\)"):
        call("resnet")


def test_a_method_is_built_with_its_defaults_or_the_given_settings():
    config = ALGCNConfig(hidden_channels=7, num_layers=1)
    method = build_method("algcn", 4, 3, GRAPH, config)
    assert isinstance(method, ALGCN) and method.config is config
    assert method(torch.rand(2, 4), torch.rand(2, 3))["image_embedding"].shape == (2, 7)
    assert build_method("algcn", 4, 3, GRAPH).config == ALGCNConfig()


def test_single_settings_are_given_as_keywords():
    config = build_method("algcn", 4, 3, GRAPH, ALGCNConfig(gamma=0.3), hidden_channels=7, alpha=1).config
    assert config == ALGCNConfig(gamma=0.3, hidden_channels=7, alpha=1.0)
    with pytest.raises(ValueError, match=r"'setting' must be one of .*\(got 'alhpa'\); did you mean 'alpha'"):
        build_method("algcn", 4, 3, GRAPH, alhpa=0.2)
    with pytest.raises(ValueError, match=r"'alpha' must be .* \(got -1\)"):
        build_method("algcn", 4, 3, GRAPH, alpha=-1)


def test_the_config_of_another_method_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'config' must be a ALGCNConfig for 'algcn' \(got DAGNNConfig\)"):
        build_method("algcn", 4, 3, GRAPH, DAGNNConfig())


def test_loading_moves_the_method_to_a_device(tmp_path):
    build_method("algcn", 4, 3, GRAPH, hidden_channels=7).save_pretrained(tmp_path)
    assert {p.device.type for p in load_method(tmp_path, device="meta").parameters()} == {"meta"}


def test_loading_finds_the_class(tmp_path):
    build_method("algcn", 4, 3, GRAPH, ALGCNConfig(hidden_channels=7)).save_pretrained(tmp_path)
    method = load_method(str(tmp_path))
    assert type(method) is ALGCN and method.config.hidden_channels == 7 and not method.training


@pytest.mark.parametrize("name", ["resnet", None])
def test_loading_refuses_an_unknown_method(tmp_path, name):
    build_method("algcn", 4, 3, GRAPH, ALGCNConfig(hidden_channels=7)).save_pretrained(tmp_path)
    edit_model(tmp_path, {"method": name})
    with pytest.raises(ValueError, match=f"model.json: .*'method' must be one of agah, algcn, .*{name}"):
        load_method(tmp_path)


def test_loading_from_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"model\.json: no such labelgraph model"):
        load_method(tmp_path / "nothing")


@pytest.mark.slow
def test_a_search_does_without_pyg_which_takes_seconds_to_import(tmp_path):
    build_method("expected-relevance", 4, 3, GRAPH, hidden_channels=8).save_pretrained(tmp_path / "model")
    code = (
        "import sys, torch; from labelgraph.methods import load_method; "
        "from labelgraph.search import Searcher; Searcher(load_method(sys.argv[1])); "
        "print('torch_geometric' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "False"
