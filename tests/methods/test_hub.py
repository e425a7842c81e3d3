"""Models on the Hub, by a local stand-in for the Hub: nothing here uses the network."""

import json
import shutil
import sys
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import labelgraph
from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import build_method, load_method

huggingface_hub = pytest.importorskip("huggingface_hub")


class Hub:
    """Repositories as folders; downloads are links into the cache, as those of huggingface_hub are."""

    def __init__(self, root):
        self.root, self.private, self.calls = root / "hub", {}, []

    def __call__(self, token=None, **_):  # In place of the class HfApi.
        self.calls.append(("token", token))
        return self

    def create_repo(self, repo_id, private, exist_ok):
        assert exist_ok
        (self.root / repo_id).mkdir(parents=True, exist_ok=True)
        self.private.setdefault(repo_id, private)
        return f"https://hub.example/{repo_id}"

    def repo_info(self, repo_id):
        return SimpleNamespace(private=self.private[repo_id])

    def upload_folder(self, repo_id, folder_path, allow_patterns, delete_patterns, commit_message):
        place = self.root / repo_id
        for path in [path for path in place.iterdir() if fnmatch(path.name, delete_patterns)]:
            path.unlink()
        for path in Path(folder_path).rglob("*"):
            if any(fnmatch(path.name, pattern) for pattern in allow_patterns):
                shutil.copy(path, place / path.name)

    def snapshot_download(self, repo_id, revision, token, allow_patterns, **_):
        self.calls.append(("download", repo_id, revision, token))
        snapshot = self.root.parent / "cache" / str(len(self.calls))
        snapshot.mkdir(parents=True)
        for path in (self.root / repo_id).iterdir():
            if any(fnmatch(path.name, pattern) for pattern in allow_patterns):
                (snapshot / path.name).symlink_to(path)
        return str(snapshot)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    hub = Hub(tmp_path)
    monkeypatch.setattr(huggingface_hub, "HfApi", hub)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", hub.snapshot_download)
    return hub


@pytest.fixture
def no_hub(monkeypatch):
    """Any use of the Hub fails."""

    def fail(*_, **__):
        pytest.fail("the Hub was asked")

    monkeypatch.setattr(huggingface_hub, "HfApi", fail)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)


def method(seed=0):
    torch.manual_seed(seed)
    graph = cooccurrence_graph([[1, 1, 0], [0, 1, 1]], ["bird", "sky", "<b>"])
    return build_method("algcn", 6, 5, graph, hidden_channels=4).eval()


def same(one, other):
    states = one.state_dict(), other.state_dict()
    return states[0].keys() == states[1].keys() and all(
        torch.equal(states[0][key], states[1][key]) for key in states[0]
    )


def test_a_method_comes_back_as_it_was_uploaded(hub):
    assert method().push_to_hub("me/birds", token="secret") == "https://hub.example/me/birds"
    assert ("token", "secret") in hub.calls and hub.private == {"me/birds": False}
    names = sorted(path.name for path in (hub.root / "me" / "birds").iterdir())
    assert [name.partition("-")[0] for name in names] == ["README.md", "model", "model.json"]
    assert names[1].endswith(".safetensors")
    for load in (labelgraph.load_method, type(method()).from_pretrained):
        loaded = load("hf://me/birds", revision="v1", token="other")
        assert same(loaded, method()) and not loaded.training
        assert hub.calls[-1] == ("download", "me/birds", "v1", "other")


def test_a_second_upload_replaces_the_model_and_keeps_other_files(hub):
    method().push_to_hub("me/birds", private=True)
    (hub.root / "me" / "birds" / "notes.txt").write_text("mine")
    method(1).push_to_hub("me/birds", private=True)
    assert same(load_method("hf://me/birds"), method(1))
    names = {path.name for path in (hub.root / "me" / "birds").iterdir()}
    assert len(names) == 4 and "notes.txt" in names


def test_a_public_repository_gets_no_private_model(hub):
    method().push_to_hub("me/birds")
    with pytest.raises(ValueError, match="'private' must be false for me/birds, which is public"):
        method(1).push_to_hub("me/birds", private=True)
    assert same(load_method("hf://me/birds"), method())


def test_nothing_is_downloaded_unless_asked(no_hub, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="me/birds"):
        load_method("me/birds")
    monkeypatch.chdir(tmp_path)
    method().save_pretrained("hf:/me/birds")  # A folder of this name comes first.
    assert same(load_method("hf://me/birds"), method())
    with pytest.raises(ValueError, match="'revision' and 'token' need a model on the Hub"):
        load_method("me/birds", revision="main")


def test_a_damaged_download_is_refused_by_its_place(hub):
    method().push_to_hub("me/birds")
    (tensors,) = (hub.root / "me" / "birds").glob("*.safetensors")
    content = bytearray(tensors.read_bytes())
    content[-1] ^= 1
    tensors.write_bytes(content)
    with pytest.raises(ValueError, match=rf"^hf://me/birds/{tensors.name}: .*SHA-256.*damaged"):
        load_method("hf://me/birds")
    tensors.unlink()
    with pytest.raises(FileNotFoundError, match=f"^hf://me/birds/{tensors.name}: no such file"):
        load_method("hf://me/birds")
    (hub.root / "me" / "birds" / "model.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"^hf://me/birds/model.json: no such labelgraph model"):
        load_method("hf://me/birds")


@pytest.mark.parametrize("name", ["birds", "a/b/c", "", "../birds", "me/birds--x", "me/bi..rds", 5, "me/birds?"])
def test_wrong_names_of_repositories_are_refused_before_the_hub_is_asked(no_hub, name):
    with pytest.raises(ValueError, match=r"'repository' must be .*user/model"):
        method().push_to_hub(name)
    if isinstance(name, str):
        with pytest.raises(ValueError, match=r"'folder' must be .*user/model"):
            load_method(f"hf://{name}")


def test_without_a_network_the_error_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConnectionError, match=r"^hf://me/birds: the Hub cannot be reached.*cache$"):
        load_method("hf://me/birds")


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("RepositoryNotFoundError", FileNotFoundError, "hf://me/birds: no such repository .*hf auth login"),
        ("RevisionNotFoundError", FileNotFoundError, "hf://me/birds: no such revision"),
        ("HfHubHTTPError", ValueError, "hf://me/birds: .*500 two lines"),
    ],
)
def test_errors_of_the_hub_are_one_line(monkeypatch, name, kind, message):
    response = SimpleNamespace(headers={}, request=None)
    error = getattr(huggingface_hub.errors, name)("500\n\ntwo lines", response=response)

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(kind, match=message) as caught:
        load_method("hf://me/birds")
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for call in (lambda: load_method("hf://me/birds"), lambda: method().push_to_hub("me/birds")):
        with pytest.raises(ImportError, match=r'huggingface_hub is not installed.*pip install "labelgraph\[hub\]"'):
            call()


def test_the_card_that_is_uploaded_has_the_facts(hub):
    facts = {"data": {"name": "/home/someone/birds.npz", "train": 1200, "validation": 10}, "best_map": 0.25}
    method().push_to_hub("me/birds", facts=json.loads(json.dumps(facts)))
    card = (hub.root / "me" / "birds" / "README.md").read_text(encoding="utf-8")
    assert "`birds.npz` (1,200 train, 10 validation items)" in card and "someone" not in card and "0.250" in card
