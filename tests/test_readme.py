"""The README's Python and commands run as printed; the method that it adds runs by the command."""

import re
import shlex
from pathlib import Path

import pytest

from benchmarks import run as command
from labelgraph.cli.main import main
from labelgraph.data import save_npz
from labelgraph.methods import METHODS, load_method

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture
def registry():
    """Methods that a block adds are gone afterwards."""
    before = dict(METHODS)
    yield METHODS
    METHODS.clear()
    METHODS.update(before)


def test_five_lines_go_from_features_to_answers(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lines = re.search(r"## From features to answers.*?```bash\n(.*?)```", README.read_text("utf-8"), re.DOTALL)[1]
    commands = [shlex.split(line)[1:] for line in lines.splitlines()]
    assert [command[0] for command in commands] == ["train", "evaluate", "search", "search", "graph"]
    commands[0] += ["--epochs", "1", "--set", "model.hidden_channels=8", "train.batch_size=1000"]  # Quick.
    assert [main(each) for each in commands] == [0] * 5
    printed = capsys.readouterr().out
    for told in ("saved in my-model", "test-vs-test:", "images for the text ice cream", "Label graph: 71 labels"):
        assert told in printed
    assert {path.name for path in tmp_path.iterdir()} == {"my-model", "found.png", "graph.png"}


def test_blocks_run_in_their_order(tmp_path, monkeypatch, capsys, registry, make_data):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 5
    names: dict[str, object] = {}
    for block in blocks:
        # Two epochs show as much as five, and the tests stay quick.
        exec(compile(block.replace("epochs=5", "epochs=2"), "README.md", "exec"), names)
    assert float(capsys.readouterr().out.splitlines()[-1]) > 0.4
    assert len(names["data"]) == 4720
    assert [len(row) for row in names["found"].ids] == [5, 5, 5]

    save_npz(make_data(size=80), tmp_path / "small.npz")
    small = ["model.hidden_channels=8", "model.sharpness=5", "eval.baselines=[random]"]
    arguments = ["--dataset", "small.npz", "--out", "own", "--seeds", "0", "--epochs", "2", "--set", *small]
    assert command.main(["--method", "sharp", *arguments]) == 0
    assert "| sharp" in capsys.readouterr().out
    assert command.main(["--method", "sharp", "--list-settings"]) == 0
    assert "model.sharpness = 10.0" in capsys.readouterr().out
    assert load_method(tmp_path / "own" / "seed-0" / "model").config.sharpness == 5
