import errno
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from labelgraph._core import files
from labelgraph._core.files import (
    atomic_path,
    check_writable,
    open_atomic,
    open_partial,
    reserve,
    write_bytes,
    write_text,
)
from tests.kill_steps import survives


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root can mount a small file system; a full disk is not tested")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_contents_arrive_whole(tmp_path):
    write_bytes(tmp_path / "a", b"\0\xff")
    write_text(tmp_path / "b.txt", "ä\n")
    with open_atomic(tmp_path / "c.csv", "w", newline="") as file:
        file.write("1,2\r\n")
    with open_atomic(str(tmp_path / "d.npz")) as file:
        np.savez(file, x=np.arange(3))
    assert (tmp_path / "a").read_bytes() == b"\0\xff"
    assert (tmp_path / "b.txt").read_bytes() == b"\xc3\xa4\n"
    assert (tmp_path / "c.csv").read_bytes() == b"1,2\r\n"
    assert np.load(tmp_path / "d.npz")["x"].tolist() == [0, 1, 2]
    assert names(tmp_path) == ["a", "b.txt", "c.csv", "d.npz"]


def test_the_temporary_path_has_the_suffix_of_the_target(tmp_path):
    with atomic_path(tmp_path / "curve.png") as temporary:
        assert temporary.suffix == ".png" and temporary.parent == tmp_path
        np.save(temporary.with_suffix(".npy"), 1)  # Other files of a library are not renamed.
        temporary.write_bytes(b"picture")
    assert (tmp_path / "curve.png").read_bytes() == b"picture"


def test_file_names_of_the_greatest_length(tmp_path):
    write_bytes(tmp_path / ("n" * 251 + ".txt"), b"x")
    write_bytes(tmp_path / ("n." + "s" * 253), b"x")
    assert [len(name) for name in names(tmp_path)] == [255, 255]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_after_an_error_the_old_file_is_left_alone(tmp_path, error):
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(error), open_atomic(path) as file:
        file.write(b"new")
        raise error("no")
    with pytest.raises(error), atomic_path(path) as temporary:
        temporary.write_bytes(b"new")
        raise error("no")
    assert path.read_text() == "old" and names(tmp_path) == ["a"]


def test_links_are_replaced_and_not_followed(tmp_path):
    victim, link, dangling = tmp_path / "victim", tmp_path / "link", tmp_path / "dangling"
    victim.write_text("precious")
    link.symlink_to(victim)
    dangling.symlink_to(tmp_path / "nothing")
    for path in (link, dangling):
        write_text(path, "new")
        assert path.read_text() == "new" and not path.is_symlink()
    assert victim.read_text() == "precious" and names(tmp_path) == ["dangling", "link", "victim"]


def test_a_planted_name_is_not_used(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    monkeypatch.setattr("labelgraph._core.temporary.secrets.token_hex", lambda size: "0" * 2 * size)
    (tmp_path / (".part-" + "0" * 16)).symlink_to(victim)
    with pytest.raises(FileExistsError, match=str(tmp_path / "a")):
        write_text(tmp_path / "a", "new")
    assert victim.read_text() == "precious" and not (tmp_path / "a").exists()


def test_a_folder_a_device_or_a_pipe_is_not_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    for name, error in (("folder", IsADirectoryError), ("pipe", OSError), ("null", OSError)):
        with pytest.raises(error, match="expected a file") as caught:
            write_text(tmp_path / name, "new")
        assert caught.value.filename == str(tmp_path / name)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode) and names(tmp_path) == ["folder", "null", "pipe"]


def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "x")
        with atomic_path(tmp_path / "b") as temporary:
            temporary.write_text("x")
    finally:
        os.umask(before)
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"} == {0o640}


def test_errors_name_the_target(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        write_text(tmp_path / "missing" / "a", "x")
    assert caught.value.filename == str(tmp_path / "missing" / "a")
    with pytest.raises(FileNotFoundError) as caught, open_atomic(tmp_path / "a"):
        (tmp_path / "input").read_bytes()  # An error about another file keeps its name.
    assert caught.value.filename == str(tmp_path / "input")
    with pytest.raises(OSError) as caught, atomic_path(tmp_path / "a"):
        raise RuntimeError("I/O error: No space left on device (os error 28)")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "a"))


def test_a_full_disk(small_disk):
    path = small_disk / "a.bin"
    path.write_bytes(b"old")
    for write in (lambda: write_bytes(path, bytes(1 << 20)), lambda: _reserve(path, 1 << 20)):
        with pytest.raises(OSError) as caught:
            write()
        assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
        assert names(small_disk) == ["a.bin"] and path.read_bytes() == b"old"


def test_a_full_disk_below_a_library_in_rust(small_disk):
    torch, safetensors = pytest.importorskip("torch"), pytest.importorskip("safetensors.torch")
    with pytest.raises(OSError) as caught, atomic_path(small_disk / "a.safetensors") as temporary:
        safetensors.save_file({"a": torch.zeros(1 << 20)}, temporary)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(small_disk / "a.safetensors"))
    assert names(small_disk) == []


def _reserve(path, size):
    with open_atomic(path) as file:
        reserve(file, size)


@pytest.mark.parametrize("system", [True, False])
def test_reserving_space_keeps_the_content(tmp_path, monkeypatch, system):
    if not system:
        monkeypatch.delattr(files.os, "posix_fallocate")
    with open_atomic(tmp_path / "a") as file:
        file.write(b"head")
        file.flush()
        reserve(file, 3 << 20)
        assert os.fstat(file.fileno()).st_blocks * 512 >= 3 << 20
    assert (tmp_path / "a").read_bytes() == b"head" + bytes((3 << 20) - 4)


def test_a_limit_on_the_size_of_files_is_an_error(tmp_path):
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            write_bytes(tmp_path / "a", bytes(5000))
        except OSError as error:
            os._exit(error.errno if error.filename == str(tmp_path / "a") else 1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == errno.EFBIG and names(tmp_path) == []


def test_a_kill_at_any_step_leaves_the_old_or_the_new_and_the_next_writer_cleans(tmp_path):
    path, step, whole = tmp_path / "a", 1, False
    while not whole:
        path.write_text("old")
        whole = survives(lambda: write_text(path, "new"), step)
        assert path.read_text() in ("old", "new")
        assert len(names(tmp_path)) <= 2
        step += 1
    assert path.read_text() == "new" and names(tmp_path) == ["a"] and step > 5


def test_two_writers_leave_one_complete_version(tmp_path):
    path = tmp_path / "a"
    contents = [bytes([number]) * 100_000 for number in (1, 2)]
    for _ in range(20):
        children = []
        for content in contents:
            child = os.fork()
            if child == 0:
                write_bytes(path, content)
                os._exit(0)
            children.append(child)
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
        assert path.read_bytes() in contents and names(tmp_path) == ["a"]


def test_a_partial_file_stays_and_belongs_to_one_process(tmp_path):
    with open_partial(tmp_path / "a") as file:
        file.write(b"half")
        with pytest.raises(BlockingIOError, match="another process") as caught:
            open_partial(tmp_path / "a")
        assert caught.value.filename == str(tmp_path / "a")
    with open_partial(tmp_path / "a") as file:
        assert file.read() == b"half"
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(OSError, match="link"):
        open_partial(tmp_path / "link")


def test_check_writable(tmp_path, small_disk):
    (tmp_path / "file").write_text("x")
    check_writable(tmp_path / "new" / "below" / "a.npz")
    check_writable(tmp_path / "file")
    check_writable(tmp_path / "new" / "model", folder=True)
    check_writable(tmp_path, folder=True)
    with pytest.raises(ValueError, match=r"'--out' must be a file .*which is a folder"):
        check_writable(tmp_path, name="--out")
    with pytest.raises(ValueError, match=r"'--out' must be a folder .*which is a file"):
        check_writable(tmp_path / "file", folder=True, name="--out")
    with pytest.raises(ValueError, match="file is a file"):
        check_writable(tmp_path / "file" / "below" / "a")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for folder in (True, False):
        with pytest.raises(OSError) as caught:
            check_writable(small_disk / "new" / "a", folder=folder)
        assert (caught.value.errno, caught.value.filename) == (errno.EROFS, str(small_disk / "new" / "a"))
    assert names(tmp_path) == ["disk", "file"] and names(small_disk) == []


def test_a_forked_child_leaves_the_temporary_file_of_its_parent(tmp_path):
    parent = os.getpid()
    try:
        with open_atomic(tmp_path / "a") as file:
            child = os.fork()
            if child == 0:
                raise SystemExit
            os.waitpid(child, 0)
            file.write(b"whole")
            assert len(names(tmp_path)) == 1
    except SystemExit:
        if os.getpid() != parent:
            os._exit(0)
    assert (tmp_path / "a").read_bytes() == b"whole"
