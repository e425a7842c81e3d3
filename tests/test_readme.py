"""The Python and the commands of the README run as printed, and links lead to files."""

import re
import shlex
from pathlib import Path

from labelgraph.cli.main import main

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


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
    assert {path.name for path in tmp_path.iterdir()} == {"my-model", "results.png", "graph.html"}


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
    for block in re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), flags=re.DOTALL):
        exec(compile(block, "README.md", "exec"), names)
    assert "71 labels" in capsys.readouterr().out and names["loss"].item() > 0
