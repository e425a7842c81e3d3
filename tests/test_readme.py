"""The Python and the commands of README and docs run as printed; the method that they add runs by the command."""

import re
import shlex
from pathlib import Path

import pytest

from benchmarks import run as command
from labelgraph.cli.main import main
from labelgraph.data import save_npz
from labelgraph.methods import METHODS, load_method

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def python_blocks(*documents):
    """The Python of some documents, in their order."""
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in documents]
    return [block for text in texts for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)]


@pytest.fixture
def registry():
    """Methods that a block adds are gone afterwards."""
    before = dict(METHODS)
    yield METHODS
    METHODS.clear()
    METHODS.update(before)


def test_the_commands_of_the_readme_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lines = re.search(r"works without any preparation.*?```bash\n(.*?)```", README.read_text("utf-8"), re.DOTALL)[1]
    commands = [shlex.split(line)[1:] for line in lines.splitlines()]
    assert [command[0] for command in commands] == ["train", "evaluate", "search", "search", "graph"]
    commands[0] += ["--epochs", "1", "--set", "model.hidden_channels=8", "train.batch_size=1000"]  # Quick.
    assert [main(each) for each in commands] == [0] * 5
    printed = capsys.readouterr().out
    for shown in ("my-model", "test-vs-test", "ice cream", "71 labels"):
        assert shown in printed
    assert {path.name for path in tmp_path.iterdir()} == {"my-model", "results.png", "graph.png"}


def test_the_two_commands_stand_near_the_top_and_ci_runs_them():
    text = README.read_text("utf-8")
    assert len(text.splitlines()) < 150
    blocks = re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)[:2]
    assert blocks[0].count("\n") == blocks[1].count("\n") == 1 and text.index(blocks[1]) < 2000
    assert "python -m benchmarks.run --method algcn" in blocks[0] and blocks[1].endswith("pytest\n")


def test_links_lead_to_files():
    for document in [
        README,
        ROOT / "CONTRIBUTING.md",
        ROOT / "benchmarks" / "README.md",
        *(ROOT / "docs").glob("*.md"),
    ]:
        for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text("utf-8")):
            assert link.startswith("http") or (document.parent / link).exists(), f"{document.name}: {link}"


def test_the_head_of_the_readme_trains(capsys):
    names: dict[str, object] = {}
    for block in python_blocks("README.md"):
        exec(compile(block, "README.md", "exec"), names)
    assert "71 labels" in capsys.readouterr().out and names["loss"].item() > 0


@pytest.mark.slow
def test_a_method_is_trained_searched_and_added(tmp_path, monkeypatch, capsys, registry, make_data):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in python_blocks("docs/methods.md", "docs/search.md"):
        # Two epochs show as much as five, and the tests stay quick.
        exec(compile(block.replace("epochs=5", "epochs=2"), "docs", "exec"), names)
    assert float(capsys.readouterr().out.splitlines()[-1]) > 0.4
    assert [len(row) for row in names["results"].ids] == [5, 5, 5]

    save_npz(make_data(size=80), tmp_path / "small.npz")
    small = ["model.hidden_channels=8", "model.sharpness=5", "eval.baselines=[random]"]
    arguments = ["--dataset", "small.npz", "--out", "own", "--seeds", "0", "--epochs", "2", "--set", *small]
    assert command.main(["--method", "sharp", *arguments]) == 0
    assert "| sharp" in capsys.readouterr().out
    assert command.main(["--method", "sharp", "--list-settings"]) == 0
    assert "model.sharpness = 10.0" in capsys.readouterr().out
    assert load_method(tmp_path / "own" / "seed-0" / "model").config.sharpness == 5
