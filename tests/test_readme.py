"""The README's Python runs as printed, from top to bottom; the method that it adds runs by the command."""

import re
from pathlib import Path

import pytest

from benchmarks import run as command
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
