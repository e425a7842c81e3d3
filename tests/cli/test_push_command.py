"""`labelgraph push` and models on the Hub in other commands, by a stand-in for the Hub."""

import json
import shutil

import pytest

from labelgraph.cli.main import main
from labelgraph.data import save_npz
from labelgraph.methods import load_method
from tests.cli.small import SMALL, small_data

huggingface_hub = pytest.importorskip("huggingface_hub")


@pytest.fixture
def folder(tmp_path, capsys):
    save_npz(small_data(), tmp_path / "data.npz")
    train = ["train", str(tmp_path / "data.npz"), "--out", str(tmp_path / "model"), "--epochs", "1", "--quiet"]
    assert main([*train, *SMALL]) == 0
    capsys.readouterr()
    return tmp_path


@pytest.fixture
def hub(folder, monkeypatch):
    """Downloads copy the folder `uploaded`."""
    asked = []

    def download(repository, **_):
        asked.append(repository)
        return str(folder / "uploaded")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return asked


def test_a_dry_run_writes_what_would_be_uploaded(folder, capsys, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda **_: pytest.fail("the Hub was asked"))
    push = ["push", str(folder / "model"), "me/birds", "--dry-run", str(folder / "dry"), "--license", "mit"]
    assert main([*push, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    names = sorted(path.name for path in (folder / "dry").iterdir())
    assert printed["files"] == names and len(names) == 3
    assert sum(name.endswith(".safetensors") for name in names) == 1 and {"README.md", "model.json"} <= {*names}
    card = (folder / "dry" / "README.md").read_text(encoding="utf-8")
    record = json.loads((folder / "model" / "training.json").read_text())
    assert "license: mit" in card and f"| {record['best_map']:.3f} |" in card and "`été`" in card
    assert "`data.npz` (30 train, 10 validation items)" in card and str(folder) not in card
    assert load_method(folder / "dry").config == load_method(folder / "model").config
    assert main(push) == 2
    assert "expected a new or an empty folder" in capsys.readouterr().err


def test_a_model_is_uploaded_with_its_facts(folder, capsys, monkeypatch):
    uploads = []

    class Api:
        def __init__(self, **_):
            pass

        def create_repo(self, repository, private, exist_ok):
            uploads.append(private)
            return f"https://hub.example/{repository}"

        def repo_info(self, repository):
            return type("Info", (), {"private": True})

        def upload_folder(self, folder_path, **_):
            shutil.copytree(folder_path, folder / "uploaded")

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    assert main(["push", str(folder / "model"), "me/birds", "--private"]) == 0
    assert "https://hub.example/me/birds" in capsys.readouterr().out and uploads == [True]
    assert "`data.npz`" in (folder / "uploaded" / "README.md").read_text(encoding="utf-8")


def test_a_model_on_the_hub_is_searched_and_indexed(folder, hub, capsys):
    main(["push", str(folder / "model"), "me/birds", "--dry-run", str(folder / "uploaded")])
    capsys.readouterr()
    search = ["--data", str(folder / "data.npz"), "--text-id", "item-3", "--json"]
    assert main(["search", str(folder / "model"), *search]) == 0
    here = capsys.readouterr().out
    assert hub == []
    assert main(["search", "hf://me/birds", *search]) == 0
    assert capsys.readouterr().out == here and hub == ["me/birds"]
    assert main(["index", "hf://me/birds", str(folder / "data.npz"), "--out", str(folder / "index"), "--quiet"]) == 0
    assert (folder / "index" / "index.json").is_file()


def test_a_model_on_the_hub_is_measured_in_the_revision_that_is_asked_for(folder, hub, capsys, monkeypatch):
    main(["push", str(folder / "model"), "me/birds", "--dry-run", str(folder / "uploaded")])
    capsys.readouterr()
    measure = [str(folder / "data.npz"), "--protocol", "test-vs-test", "--json"]
    assert main(["evaluate", str(folder / "model"), *measure]) == 0
    here = json.loads(capsys.readouterr().out)
    asked = []
    download = huggingface_hub.snapshot_download
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda *a, **o: asked.append(o["revision"]) or download(*a, **o)
    )
    assert main(["evaluate", "hf://me/birds", *measure, "--revision", "v1"]) == 0
    there = json.loads(capsys.readouterr().out)
    assert there["results"] == here["results"] and there["model"] == "hf://me/birds"
    search = ["--data", str(folder / "data.npz"), "--text-id", "item-3", "--json", "--revision", "v2"]
    assert main(["search", "hf://me/birds", *search]) == 0
    index = ["index", "hf://me/birds", str(folder / "data.npz"), "--out", str(folder / "index"), "--revision", "v3"]
    assert main([*index, "--quiet"]) == 0
    assert asked == ["v1", "v2", "v3"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["push", "model", "birds"], "'USER/MODEL' must be the name of a repository, such as user/model (got 'birds')"),
        (["push", "none", "me/birds"], "none: no such folder of a model"),
        (["search", "hf://birds", "--text", "a"], "'MODEL' must be the name of a repository"),
        (["search", "hf://me/birds", "--text", "a"], "'--data' must be given with a model"),
        (["evaluate", "model", "data.npz", "--revision", "v1"], "'--revision' needs a model on the Hub"),
        (["app", "model", "--revision", "v1"], "'--revision' needs a model on the Hub"),
        (["evaluate", "hf://birds", "data.npz"], "'MODEL' must be the name of a repository"),
    ],
)
def test_wrong_arguments_are_one_line(folder, hub, arguments, message, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1 and hub == []
