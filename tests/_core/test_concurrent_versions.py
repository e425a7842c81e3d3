"""Processes that write to one folder, read it at the same time, and are killed."""

import os
import random
import signal
import sys
import time
from functools import partial

import pytest

from labelgraph._core.commit import locked
from tests._core.small_version import load, names, save
from tests.kill_steps import survives

pytestmark = pytest.mark.slow  # Whole commands and processes.


def child(act):
    number = os.fork()
    if number == 0:
        try:
            act()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
    return number


def status(number):
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def test_a_lock_that_is_held_too_long_is_named(tmp_path, monkeypatch):
    save(tmp_path, 1)
    monkeypatch.setattr("labelgraph._core.commit.WAIT", 0.2)
    ready = tmp_path / "ready"

    def hold():
        with locked(tmp_path):
            ready.touch()
            time.sleep(20)

    holder = child(hold)
    while not ready.exists():
        time.sleep(0.01)
    with pytest.raises(TimeoutError, match="another process") as caught:
        save(tmp_path, 2)
    assert caught.value.filename == str(tmp_path) and load(tmp_path) == 1  # Readers need no lock.
    os.kill(holder, signal.SIGKILL)
    status(holder)
    save(tmp_path, 2)
    assert load(tmp_path) == 2


@pytest.mark.parametrize("existing", [True, False])
def test_two_writers_leave_one_complete_version(tmp_path, existing):
    for number in range(12):
        folder = tmp_path / (f"a{number}" if not existing else "a")
        writers = [child(partial(save, folder, value)) for value in (1, 2)]
        assert [status(writer) for writer in writers] == [0, 0]
        assert load(folder) in (1, 2) and len(names(folder)) == 4


def test_a_reader_sees_one_version_while_two_processes_write(tmp_path):
    save(tmp_path, 0)

    def write(value):
        for turn in range(40):
            save(tmp_path, value + turn % 2)  # The same two versions alternate.

    writers, seen = [child(partial(write, value)) for value in (1, 3)], []
    while writers:
        seen.append(load(tmp_path))
        ended = [os.waitpid(writer, os.WNOHANG) for writer in writers]
        assert not any(code for _, code in ended)
        writers = [writer for writer, (number, _) in zip(writers, ended, strict=True) if not number]
    assert len(seen) > 20 and len(set(seen)) > 2 and len(names(tmp_path)) == 4


def test_a_kill_at_any_step_leaves_the_old_or_the_new_version(tmp_path):
    save(tmp_path, 0)
    step, whole, seen = 1, False, set()
    while not whole:
        whole = survives(lambda: save(tmp_path, 1), step)
        seen.add(value := load(tmp_path))
        if value and not whole:
            save(tmp_path, 0)
        step += 1
    assert seen == {0, 1} and step > 20
    save(tmp_path, 2)
    assert load(tmp_path) == 2 and len(names(tmp_path)) == 4


def test_sigkill_at_random_moments(tmp_path):
    save(tmp_path, 0)
    draw = random.Random(0)
    for value in range(1, 25):
        before = load(tmp_path)
        writer = child(partial(save, tmp_path, value, 20_000))
        time.sleep(draw.uniform(0, 0.02))
        os.kill(writer, signal.SIGKILL)
        status(writer)
        assert load(tmp_path) in (before, value)
    save(tmp_path, 99)
    assert load(tmp_path) == 99 and len(names(tmp_path)) == 4
