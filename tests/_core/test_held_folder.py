"""A folder that one process holds: others are refused, a dead one is not in the way, no file of the user is lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import labelgraph
from labelgraph._core.held_folder import held

HOLD = """
import sys, time
from pathlib import Path
from labelgraph._core.held_folder import held
with held(Path(sys.argv[1]), "working"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_another_process_is_refused_and_a_killed_one_is_not_in_the_way(tmp_path):
    there = {**os.environ, "PYTHONPATH": str(Path(labelgraph.__file__).parents[1])}
    folder = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", HOLD, folder], stdout=subprocess.PIPE, text=True, env=there) as other:
        assert other.stdout.readline() == "held\n"
        message = rf"run: the process {other.pid} is working in this folder"
        with pytest.raises(ValueError, match=message), held(folder, "working"):
            pass
        other.send_signal(signal.SIGKILL)
    with held(folder, "working"):
        assert (folder / "lock").read_text() == str(os.getpid())
        (folder / "kept").touch()
    assert [path.name for path in folder.iterdir()] == ["kept"]


def test_a_new_folder_that_stays_empty_is_deleted_and_an_old_one_is_not(tmp_path):
    (tmp_path / "old").mkdir()
    for name in ("old", "new/deep"):
        with held(tmp_path / name, "working"):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("name", ["lock", "lock/lock"])
def test_a_file_of_the_user_stays(tmp_path, name):
    (tmp_path / "lock").write_text("my notes")
    with pytest.raises(ValueError, match="lock: expected"), held((tmp_path / name).parent, "working"):
        pass
    assert (tmp_path / "lock").read_text() == "my notes"
