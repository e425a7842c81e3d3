"""The README's Python runs as printed, from top to bottom."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_blocks_run_in_their_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 3
    names: dict[str, object] = {}
    for block in blocks:
        # Two epochs show as much as five, and the tests stay quick.
        exec(compile(block.replace("epochs=5", "epochs=2"), "README.md", "exec"), names)
    assert float(capsys.readouterr().out.splitlines()[-1]) > 0.4
    assert len(names["data"]) == 4720
