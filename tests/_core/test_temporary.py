import os
import signal
import time

import pytest

from labelgraph._core import temporary
from labelgraph._core.temporary import Temporary, remove_stale


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def hold(folder, **options):
    """A child process that holds a temporary file until it is killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with Temporary(folder, **options) as held:
            os.write(writing, held.path.name.encode())
            time.sleep(60)
        os._exit(0)
    os.close(writing)
    return child, os.read(reading, 100).decode()


def kill(child):
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_only_files_of_ended_processes_are_deleted(tmp_path):
    child, name = hold(tmp_path, suffix=".npz")
    (tmp_path / ".part-mine").write_text("x")
    remove_stale(tmp_path)
    assert names(tmp_path) == sorted([name, ".part-mine"]) and name.endswith(".npz")
    kill(child)
    remove_stale(tmp_path)
    assert name in names(tmp_path)  # A process cleans a folder only once, because it may be large.
    remove_stale(tmp_path, again=True)
    assert names(tmp_path) == [".part-mine"]


def test_links_and_folders_with_temporary_names_are_not_deleted(tmp_path):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / (".part-" + "a" * 16)).symlink_to(tmp_path / "victim")
    (tmp_path / (".part-" + "b" * 16)).mkdir()
    os.mkfifo(tmp_path / (".part-" + "c" * 16))
    before = names(tmp_path)[:2]
    remove_stale(tmp_path, again=True)
    assert names(tmp_path)[:2] == before and (tmp_path / "victim").read_text() == "precious"


def test_a_second_name_of_a_file_keeps_its_content(tmp_path):
    (tmp_path / "a").write_text("content")
    child, name = hold(tmp_path, link_to=tmp_path / "a")
    with Temporary(tmp_path, link_to=tmp_path / "a") as second:
        (tmp_path / "a").unlink()
        remove_stale(tmp_path, again=True)
        assert second.path.read_text() == (tmp_path / name).read_text() == "content"
    kill(child)
    remove_stale(tmp_path, again=True)
    assert names(tmp_path) == []


def test_a_file_that_cannot_be_linked_leaves_no_name(tmp_path):
    with pytest.raises(FileNotFoundError):
        Temporary(tmp_path, link_to=tmp_path / "a")
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(OSError):
        Temporary(tmp_path, link_to=tmp_path / "link")
    assert names(tmp_path) == ["link"]


def test_a_file_that_is_being_written_is_not_linked(tmp_path):
    child, name = hold(tmp_path)
    with pytest.raises(BlockingIOError, match=name):
        Temporary(tmp_path, link_to=tmp_path / name)
    assert names(tmp_path) == [name]
    kill(child)


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(95, "not supported")

    (tmp_path / (".part-" + "0" * 16)).write_text("x")
    monkeypatch.setattr(temporary.fcntl, "flock", refuse)
    with Temporary(tmp_path) as held:
        remove_stale(tmp_path, again=True)
        assert held.path.exists()
    assert names(tmp_path) == [".part-" + "0" * 16]


def test_a_file_that_another_process_deletes_as_stale_is_created_again(tmp_path, monkeypatch):
    lock_file, calls = temporary.lock_file, []

    def lost_at_first(file, shared=False):
        calls.append(file)
        if len(calls) == 1:  # Simulate another process that deletes the file.
            next(tmp_path.iterdir()).unlink()
        return lock_file(file, shared)

    monkeypatch.setattr(temporary, "lock_file", lost_at_first)
    with Temporary(tmp_path) as held:
        assert held.path.exists() and len(calls) == 2
