"""Folders replaced as a whole: whatever interrupts that, the old or the new version is there, complete."""

import errno
import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from labelgraph.search import searcher_folder as storage
from labelgraph.search.searcher_folder import read_current, read_version, write_version


def filler(content):
    def fill(folder):
        (folder / "deep").mkdir()
        (folder / "a.bin").write_bytes(content)
        (folder / "deep" / "b.bin").write_bytes(content[::-1])

    return fill


def contents(folder):
    version = read_version(folder)
    return {name: version.read(name) for name in sorted(version.files)}


def versions(folder):
    return [path for path in folder.iterdir() if path.name.startswith("version-")]


@pytest.fixture
def saved(tmp_path):
    write_version(tmp_path / "saved", filler(b"first"))
    return tmp_path / "saved"


def test_what_is_written_is_read(saved):
    assert contents(saved) == {"a.bin": b"first", "deep/b.bin": b"tsrif"}
    assert sorted(path.name for path in saved.iterdir()) == ["index.json", versions(saved)[0].name]


def test_a_second_version_takes_the_place_of_the_first(saved):
    (saved / "notes.txt").write_text("mine")
    (saved / "version-mine").mkdir()
    write_version(saved, filler(b"second"))
    assert contents(saved) == {"a.bin": b"second", "deep/b.bin": b"dnoces"}
    assert len(versions(saved)) == 2 and (saved / "notes.txt").exists() and (saved / "version-mine").exists()


def test_what_an_interrupted_save_left_is_deleted_by_the_next(saved):
    left = saved / "version-00000000000000ff"
    left.mkdir()
    (left / "a.bin").write_bytes(b"half")
    write_version(saved, filler(b"second"))
    assert not left.exists() and contents(saved)["a.bin"] == b"second"


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyError("x"), KeyboardInterrupt()]
)
def test_an_error_while_filling_keeps_the_first_and_leaves_nothing(saved, error):
    def fill(folder):
        filler(b"second")(folder)
        raise error

    before = sorted(saved.rglob("*"))
    with pytest.raises(type(error)):
        write_version(saved, fill)
    assert contents(saved)["a.bin"] == b"first" and sorted(saved.rglob("*")) == before


def test_a_full_disk_gives_one_line(saved):
    """A limit on the size of files stands for it: writing fails half-way, as it does there."""
    code = """
import resource, signal, sys
from pathlib import Path
from labelgraph.search.searcher_folder import write_version
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    write_version(Path(sys.argv[1]), lambda folder: (folder / "a.bin").write_bytes(bytes(20_000)))
except OSError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, str(saved)], capture_output=True, text=True, check=True)
    assert re.fullmatch(
        rf"\[Errno \d+\] cannot save \(File too large\); what was saved before is kept: '{saved}'\n", done.stdout
    )
    assert contents(saved)["a.bin"] == b"first" and len(versions(saved)) == 1


@contextmanager
def read_only(folder):
    """Read-only, and without the rights of root, whom that would not stop."""
    folder.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)


@pytest.mark.parametrize("name", ["", "new"])
def test_a_read_only_folder_gives_one_line(name):
    with TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        saved = Path(place) / "saved"
        write_version(saved, filler(b"first"))
        with read_only(saved), pytest.raises(PermissionError) as error:
            write_version(saved / name, filler(b"second"))
        assert str(error.value) == (
            f"[Errno 13] cannot save (Permission denied); what was saved before is kept: '{saved / name}'"
        )
        assert contents(saved)["a.bin"] == b"first" and len(versions(saved)) == 1


def test_a_file_in_place_of_the_folder_gives_one_line(tmp_path):
    (tmp_path / "saved").write_text("mine")
    with pytest.raises(OSError, match=r"cannot save \(Not a directory\)"):
        write_version(tmp_path / "saved", filler(b"first"))
    assert (tmp_path / "saved").read_text() == "mine"


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere/index\.json: no such saved index"):
        read_version(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"3", b"null", b"\xff\xfe{", b"[" * 100_000])
def test_another_index_json_is_refused(saved, content):
    (saved / "index.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"index\.json: expected"):
        read_version(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, r"expected a saved index of format 1 \(got 2\)"),
        ({"current": "../elsewhere"}, "expected the entries 'current' and 'files'"),
        ({"current": None}, "expected the entries 'current' and 'files'"),
        ({"files": ["a.bin"]}, "expected the entries 'current' and 'files'"),
        ({"files": {}}, r"expected the file 'a\.bin'"),
        ({"files": {"a.bin": 3}}, r"a\.bin: expected SHA-256 3"),
        ({"current": "version-0000000000000000"}, r"version-0000000000000000/a\.bin: no such file"),
    ],
)
def test_a_wrong_entry_is_refused(saved, changes, message):
    path = saved / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_version(saved).read("a.bin")


def replacing(folder, times):
    """Reads both files, between which another save takes the version away, for the first so many calls."""
    seen = []

    def read(version):
        first = version.read("a.bin")
        seen.append(first)
        if len(seen) <= times:
            write_version(folder, filler(b"save %d" % len(seen)))
        return first, version.read("deep/b.bin")[::-1]

    return read, seen


def test_a_version_that_is_replaced_while_it_is_read_gives_way_to_the_next(saved):
    read, seen = replacing(saved, 20)
    assert read_current(saved, read) == (b"save 20", b"save 20")
    assert seen == [b"first", *(b"save %d" % save for save in range(1, 21))]


def test_versions_that_are_replaced_again_and_again_are_given_up_after_a_while(saved, monkeypatch):
    monkeypatch.setattr(storage, "PATIENCE", 0.2)
    read, seen = replacing(saved, 100_000)
    with pytest.raises(FileNotFoundError, match=r"deep/b\.bin: no such file"):
        read_current(saved, read)
    assert len(seen) > 2


def test_a_file_that_is_missing_in_the_current_version_is_told_at_once(saved):
    (versions(saved)[0] / "deep" / "b.bin").unlink()
    read, seen = replacing(saved, 0)
    with pytest.raises(FileNotFoundError, match=r"deep/b\.bin: no such file"):
        read_current(saved, read)
    assert len(seen) == 1


def test_saving_over_a_damaged_index_json_mends_it(saved):
    (saved / "index.json").write_bytes(b"{")
    write_version(saved, filler(b"second"))
    assert contents(saved)["a.bin"] == b"second"


def test_killed_at_every_step_the_old_or_the_new_is_there(tmp_path):
    """The script dies at the n-th thing that it does with files, for every n until it lives."""
    command = [sys.executable, "-m", "tests.search.kill_storage", tmp_path / "saved"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    states = done.stdout.split()
    assert len(states) > 20 and set(states) == {"first", "second"}
    assert states == sorted(states)  # First the old one, from some step on the new one.
