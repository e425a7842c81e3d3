"""The short form: each command is killed, terminated and interrupted once."""

import pytest

from benchmarks.fuzz.commands import COMMANDS, Command
from benchmarks.fuzz.interruption import interrupt

pytestmark = pytest.mark.slow  # Whole commands and processes.

SLOW = ("data-make", "graph", "run", "train")
SHORT = [each for each in COMMANDS if each != "run-resume"]  # Which is much like 'run', and takes long.


@pytest.mark.parametrize("name", [pytest.param(each, marks=[pytest.mark.slow] * (each in SLOW)) for each in SHORT])
def test_interrupted_commands(name, tmp_path):
    found = interrupt(name, moments=1, seed=0, place=tmp_path / "work")
    assert sum(found["counts"].values()) == 3
    assert found["failures"] == []


CARELESS = """
import pathlib, time
for part in range(100):
    with open("out.txt", "a" if part else "w") as file:
        file.write(str(part))
    time.sleep(0.01)
"""


@pytest.mark.slow
def test_a_careless_command_is_found_out(tmp_path, monkeypatch):
    (tmp_path / "careless_command.py").write_text(CARELESS)
    monkeypatch.syspath_prepend(tmp_path)
    command = Command(
        "careless_command", [], lambda place: (place / "out.txt").write_text("before") and None, "out.txt",
        lambda place: (place / "out.txt").read_text(),
    )  # fmt: skip
    monkeypatch.setitem(COMMANDS, "careless", command)
    kinds = {failure["kind"] for failure in interrupt("careless", 3, 0, tmp_path / "work")["failures"]}
    assert {"lost", "no line", "traceback"} <= kinds
