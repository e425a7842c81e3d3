"""Saved methods."""

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from labelgraph._core.commit import LOCK
from labelgraph._core.digests import sha256_bytes
from labelgraph.graph import BinaryAdjacency, cooccurrence_graph
from labelgraph.methods import ALGCN, ALGCNConfig, build_method, load_method
from tests.damage import damage
from tests.methods.edited_model import edit_model

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


def tensors(folder):
    """Return the only safetensors file of the folder."""
    (path,) = folder.glob("model-*.safetensors")
    return path


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
    names = sorted(path.name for path in (tmp_path / "deep" / "model").iterdir() if path.name != LOCK)
    assert len(names) == 2 and re.fullmatch(r"model-[0-9a-f]{16}\.safetensors", names[0]) and names[1] == "model.json"


def test_a_loaded_method_can_be_saved_again(saved, tmp_path):
    ALGCN.from_pretrained(saved).save_pretrained(tmp_path / "again")
    for name in ("model.json", tensors(saved).name):
        assert (saved / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_label_vectors_are_kept_in_half_precision(saved, tmp_path):
    method = ALGCN.from_pretrained(saved)
    assert method.label_vectors is None  # As in models that were saved before there were any.
    vectors = torch.tensor([[0.6, 0.8], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]).half()
    method.label_vectors = vectors
    method.save_pretrained(tmp_path / "again")
    again = ALGCN.from_pretrained(tmp_path / "again")
    assert torch.equal(again.label_vectors, vectors) and again.label_vectors.dtype == torch.half
    method.label_vectors = vectors[:3]
    method.save_pretrained(tmp_path / "again")
    with pytest.raises(ValueError, match=r"'label_vectors' must be of float16 and have a row for each of 4 labels"):
        ALGCN.from_pretrained(tmp_path / "again")


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
    (saved / "notes.txt").write_text("mine")
    (saved / "model-mine.safetensors").write_text("mine")
    build(CONFIGS["static"]).save_pretrained(saved)
    assert ALGCN.from_pretrained(saved).config == CONFIGS["static"]
    mine = {"notes.txt", "model-mine.safetensors"}
    (entry,) = json.loads((saved / "model.json").read_text())["files"].values()
    assert {path.name for path in saved.iterdir()} == {*mine, "model.json", entry["file"], LOCK}


def test_a_method_of_own_parts_cannot_be_saved(tmp_path):
    method = build(CONFIGS["static"])
    own = ALGCN(method.image_projector, method.text_projector, method.label_branch, method.config)
    with pytest.raises(ValueError, match="'save_pretrained' needs a method built by 'from_config'"):
        own.save_pretrained(tmp_path)


@pytest.mark.parametrize("place", [0, 100, -1])
def test_a_flipped_byte_is_refused(saved, place):
    path = tensors(saved)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"model-.*\.safetensors: expected SHA-256 .* damaged"):
        ALGCN.from_pretrained(saved)


def test_who_may_read_one_file_may_read_all(saved):
    assert len({path.stat().st_mode for path in saved.iterdir() if path.name != LOCK}) == 1


def test_a_large_model_is_checked_and_does_not_change_with_its_file(tmp_path):
    wide = cooccurrence_graph(LABELS, x=torch.rand(4, 5 * 2**20))  # 80 MiB, which the method keeps for a later save.
    method = build(CONFIGS["no graph"], wide)
    method.save_pretrained(tmp_path)
    loaded, path = ALGCN.from_pretrained(tmp_path), tensors(tmp_path)
    assert path.stat().st_size > 2**26
    content = path.read_bytes()
    with path.open("r+b") as file:  # In place, as a mapped file would see it.
        file.write(bytes(len(content)))
    loaded.save_pretrained(tmp_path / "again")
    assert tensors(tmp_path / "again").name == path.name  # Which is derived from the content.
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ValueError, match=r"model-.*\.safetensors: expected SHA-256 .* damaged"):
        ALGCN.from_pretrained(tmp_path)


@pytest.mark.parametrize("name", ["model.json", "model-*.safetensors"])
def test_a_truncated_file_is_refused(saved, name):
    (path,) = saved.glob(name)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=f"{path.name}: expected"):
        ALGCN.from_pretrained(saved)


@pytest.mark.parametrize("name", ["model.json", "model-*.safetensors"])
def test_a_missing_file_is_named(saved, name):
    (path,) = saved.glob(name)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=path.name):
        ALGCN.from_pretrained(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 1}, r"expected a labelgraph model of version 3 \(got 1\)"),
        ({"format": "other"}, "expected a labelgraph model"),
        ({"entries": {"method": "dagnn"}}, r"expected the method 'algcn' \(got 'dagnn'\)"),
        ({"entries": {"config": {"depth": 3}}}, "expected the configuration of 'algcn'.*depth"),
        ({"entries": {"config": {"gamma": "much"}}}, "expected the configuration of 'algcn'.*'gamma' must be"),
        ({"entries": {"config": [1]}}, "expected the entries of a method"),
        ({"entries": {"config": {"hidden_channels": 9}}}, "expected parameters that fit the model"),
        ({"entries": {"image_channels": 70}}, "expected parameters that fit the model"),
        ({"entries": {"image_channels": 10**12}}, "'image_channels' and 'text_channels' must be in"),
        ({"entries": {"image_channels": 2**24}}, "expected the configuration of 'algcn'.*16777216"),
        ({"entries": {"config": {"hidden_channels": 2**40}}}, "expected the configuration of 'algcn'.*1099511627776"),
        ({"entries": {"config": {"num_layers": 10**9}}}, "expected the configuration of 'algcn'.*the file does not"),
        ({"entries": {"text_channels": "5"}}, "'image_channels' and 'text_channels' must be in"),
        ({"entries": {"label_names": ["a", "b"]}}, "'edge_index' must be .* index 2 labels"),
        ({"entries": {"label_names": ["a", "b", "c", "d", "e"]}}, "x, count must have as many rows"),
        ({"entries": {"label_names": [1, 2, 3, 4]}}, "'label_names' must be"),
        ({"entries": {"num_samples": "many"}}, "'num_samples' a whole number"),
        ({"entries": {"encoders": [3]}}, "'encoders' must map"),
        ({"files": {"sha256": "0"}}, "expected a file of this folder"),
        ({"files": {"file": "../model-0123456789abcdef.safetensors"}}, "expected a file of this folder"),
        ({"files": {"file": "/etc/passwd"}}, "expected a file of this folder"),
        ({"files": {"file": "model.safetensors"}}, "expected a file of this folder"),
        ({"files": {"file": ["model-0123456789abcdef.safetensors"]}}, "expected a file of this folder"),
    ],
)
def test_wrong_entries_are_refused(saved, changes, message):
    edit_model(saved, **changes)
    with pytest.raises(ValueError, match=message) as error:
        ALGCN.from_pretrained(saved)
    assert str(saved) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "key", ["label_names", "num_samples", "config", "method", "encoders", "image_channels", "text_channels"]
)
def test_a_missing_entry_is_refused(saved, key):
    edit_model(saved, {key: None})
    with pytest.raises(ValueError, match=r"model\.json: expected"):
        ALGCN.from_pretrained(saved)


def test_a_link_to_a_file_elsewhere_is_not_read(saved, tmp_path):
    path = tensors(saved)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=f"{path.name}: expected a file"):
        ALGCN.from_pretrained(saved)


def test_stored_encoders_may_not_download(saved):
    encoders = {"image": {"encoder": "clip", "model": "some/model", "allow_download": True}}
    edit_model(saved, {"encoders": encoders})
    assert ALGCN.from_pretrained(saved).encoders == {"image": {"encoder": "clip", "model": "some/model"}}


class Tied(ALGCN):
    """Both projectors share their weight."""

    name = "tied"

    @classmethod
    def parts(cls, config, image_channels, text_channels, graph):
        parts = super().parts(config, image_channels, text_channels, graph)
        parts["text_projector"].linear.weight = parts["image_projector"].linear.weight
        return parts


def test_tied_weights_are_saved_and_stay_tied(tmp_path):
    method = Tied.from_config(ALGCNConfig(hidden_channels=8), 6, 6, GRAPH)
    method.save_pretrained(tmp_path)
    again = Tied.from_pretrained(tmp_path)
    assert again.text_projector.linear.weight is again.image_projector.linear.weight
    assert torch.equal(again.image_projector.linear.weight, method.image_projector.linear.weight)


@pytest.mark.parametrize("count", [np.int64(30), torch.tensor(30), torch.tensor([30])])
def test_counts_of_numpy_and_torch_are_saved(tmp_path, count):
    graph = GRAPH.clone()
    graph.num_samples = count
    build(CONFIGS["static"], graph).save_pretrained(tmp_path)
    assert load_method(tmp_path)._graph.num_samples == 30


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_the_precision_of_the_parameters_is_kept(tmp_path, dtype):
    method = build(CONFIGS["static"]).to(dtype)
    method.save_pretrained(tmp_path)
    again = load_method(tmp_path).state_dict()
    for key, value in method.state_dict().items():
        assert again[key].dtype == value.dtype and torch.equal(again[key], value), key


@pytest.mark.parametrize("content", ["[]", "3", "null", "{", "", "[" * 100_000])
def test_other_json_is_refused(saved, content):
    (saved / "model.json").write_text(content)
    with pytest.raises(ValueError, match=r"model\.json: expected"):
        ALGCN.from_pretrained(saved)


def test_a_change_by_hand_is_refused(saved):
    path = saved / "model.json"
    path.write_text(path.read_text().replace('"gamma": 0.3', '"gamma": 0.4'))
    with pytest.raises(ValueError, match=r"model\.json: .*checksum; the file is damaged"):
        ALGCN.from_pretrained(saved)


def test_parameters_that_are_not_finite_are_neither_saved_nor_loaded(saved):
    from safetensors.torch import load_file, save

    method = build(CONFIGS["adaptive"])
    with torch.no_grad():
        next(method.parameters()).view(-1)[0] = float("nan")
    before = sorted(saved.iterdir())
    with pytest.raises(ValueError, match="must be finite"):
        method.save_pretrained(saved)
    assert sorted(saved.iterdir()) == before
    stored = load_file(tensors(saved))
    key = next(key for key, tensor in stored.items() if key.startswith("state.") and tensor.is_floating_point())
    stored[key].view(-1)[0] = float("inf")
    content = save(stored)
    digest = sha256_bytes(content)
    name = f"model-{digest[:16]}.safetensors"
    (saved / name).write_bytes(content)
    edit_model(saved, files={"file": name, "size": len(content), "sha256": digest})
    with pytest.raises(ValueError, match=rf"{name}: .*{key.removeprefix('state.')}.* must be finite"):
        load_method(saved)


def test_200_damaged_folders_are_refused_or_give_the_same_method(saved):
    whole, rng, refused = load_method(saved), random.Random(0), 0
    names = [whole._graph.label_names, whole.config]
    for case in range(200):
        path = sorted(path for path in saved.iterdir() if path.name != LOCK)[case % 2]
        content = path.read_bytes()
        path.write_bytes(damage(content, rng))
        try:
            again = load_method(saved)
        except (ValueError, FileNotFoundError) as error:
            assert str(saved) in str(error) and "\n" not in str(error), error
            refused += 1
        else:
            # Only changes of white space in `model.json` are accepted.
            assert path.name == "model.json" and [again._graph.label_names, again.config] == names
            for key, value in whole.state_dict().items():
                assert torch.equal(value, again.state_dict()[key]), key
        path.write_bytes(content)
    assert refused > 180


@pytest.mark.slow
def test_killed_at_every_step_the_old_or_the_new_method_loads(tmp_path):
    """The script is killed at the n-th file operation, for every n until it survives."""
    command = [sys.executable, "-m", "tests.methods.kill_saving", tmp_path / "saved"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    states = done.stdout.split()
    assert len(states) > 10 and set(states) == {"first", "second"}
    assert states == sorted(states)  # The old method loads until some step, the new method after it.


@pytest.mark.slow
def test_loading_does_not_import_the_compiler_of_pytorch(tmp_path):
    """The import takes two seconds of a search from the shell."""
    build_method("expected-relevance", 5, 6, GRAPH, hidden_channels=4).save_pretrained(tmp_path)
    code = f"""
import sys
from labelgraph.methods import load_method
load_method({str(tmp_path)!r})
print("torch._dynamo" in sys.modules)
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["False"]
