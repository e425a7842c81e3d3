"""Signals while a command imports its modules: the status of the signal and one line; other programs keep theirs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import labelgraph

ROOT = Path(labelgraph.__file__).parents[1]
# In place of a module that all commands import: a signal comes in the middle of the imports.
SIGNALLED = "import os, time\nos.kill(os.getpid(), {number})\ntime.sleep(20)\n"
SHOWN = (
    "import signal\nimport labelgraph.cli.main\nprint([signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)])"
)
UNCHANGED = f"{[signal.default_int_handler, signal.SIG_DFL]}\n"


def run(*arguments, first, **options):
    there = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (first, ROOT)))}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=there, timeout=60, cwd=first, **options)


@pytest.mark.parametrize("name", ["labelgraph", "benchmarks.run", "benchmarks.fuzz"])
@pytest.mark.parametrize(("number", "line"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "stopped by SIGTERM")])
def test_a_signal_while_a_command_imports_is_one_line(tmp_path, name, number, line):
    (tmp_path / "argparse.py").write_text(SIGNALLED.format(number=int(number)))
    ended = run("-m", name, "--help", first=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (
        128 + number,
        "",
        f"{line}; give the same command again\n",
    )


def test_an_ignored_signal_stays_ignored(tmp_path):
    (tmp_path / "argparse.py").write_text(SIGNALLED.format(number=int(signal.SIGINT)).replace("20", "0") + "1 / 0")
    ended = run("-m", "labelgraph", first=tmp_path, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    assert ended.returncode == 1 and "ZeroDivisionError" in ended.stderr


@pytest.mark.parametrize("name", ["mine.py", "benchmarks.py"])
def test_another_program_keeps_its_handlers(tmp_path, name):
    (tmp_path / name).write_text(SHOWN)
    assert run(tmp_path / name, first=tmp_path).stdout == UNCHANGED
    assert run("-c", SHOWN, first=ROOT).stdout == UNCHANGED


def test_another_package_of_the_same_name_keeps_its_handlers(tmp_path):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").write_text("import labelgraph")
    (tmp_path / "benchmarks" / "speed.py").write_text(SHOWN)
    assert run("-m", "benchmarks.speed", first=tmp_path).stdout == UNCHANGED
