import errno
import os
import re
import stat
import subprocess
import sys

import numpy as np
import pytest

from labelgraph._core.commit import LOCK, check_replaceable, write_version
from labelgraph._core.digests import sha256_bytes
from labelgraph._core.versions import open_version
from tests._core.small_version import KIND, load, names, save


def save_entry(folder, value):
    with write_version(folder, KIND, {"value": value}):
        pass


def test_file_names_derive_from_names_and_contents(tmp_path):
    with write_version(tmp_path, KIND) as writer:
        writer.write("split/50 % träin.npy", b"1")
        writer.write("../../etc/passwd", b"2")
        writer.write("..", b"3")
        writer.section("model").write("weights.safetensors", b"4")
        writer.write("x" * 500, b"5")
    assert len(names(tmp_path)) == 6
    for name in names(tmp_path):
        if name != "index.json":
            digest = sha256_bytes((tmp_path / name).read_bytes())
            assert re.fullmatch(rf"[\w.-]+-{digest[:16]}(\.\w+)?", name) and not name.startswith(".")
    with open_version(tmp_path, KIND) as version:
        assert [version.read(name) for name in version.files] == [b"1", b"2", b"3", b"4", b"5"]


def test_equal_versions_are_equal_byte_for_byte(tmp_path):
    for name in "ab":
        save(tmp_path / name, 3)
    assert names(tmp_path / "a") == names(tmp_path / "b")
    assert all(
        (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names(tmp_path / "a")
    )


def test_a_new_version_replaces_the_old_files(tmp_path):
    for value in range(3):
        save(tmp_path, value)
        assert load(tmp_path) == value and len(names(tmp_path)) == 4


def test_foreign_files_are_not_deleted(tmp_path):
    foreign = ["notes.txt", "image-0123456789abcdef.npy", ".part-mine", "weights-0000000000000000.bin"]
    for name in foreign:
        (tmp_path / name).write_text("mine")
    for value in range(2):
        save(tmp_path, value)
    assert all((tmp_path / name).read_text() == "mine" for name in foreign) and len(names(tmp_path)) == 8


@pytest.mark.parametrize("content", [b'{"layers": []}', b"", b"\xff", b'{"format": "other"}', b"[]"])
def test_a_manifest_of_another_format_is_not_replaced(tmp_path, content):
    (tmp_path / "index.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"index\.json: expected a test index, or nothing"):
        save(tmp_path, 1)
    assert names(tmp_path) == ["index.json"] and (tmp_path / "index.json").read_bytes() == content


@pytest.mark.parametrize(
    "content", [b'{"format": "test index", "version": 0}', b'{"format": "test index", "files": 3}']
)
def test_a_damaged_or_earlier_version_is_replaced(tmp_path, content):
    save(tmp_path, 1)
    (tmp_path / "index.json").write_bytes(content)
    check_replaceable(tmp_path, KIND)
    save(tmp_path, 2)
    assert load(tmp_path) == 2 and len(names(tmp_path)) == 4


def test_the_manifest_as_a_link_is_refused(tmp_path):
    save(tmp_path / "a", 1)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "index.json").symlink_to(tmp_path / "a" / "index.json")
    with pytest.raises(ValueError, match=r"index\.json"):
        save(tmp_path / "b", 2)
    assert load(tmp_path / "a") == 1


def test_planted_links_are_not_followed(tmp_path):
    victim, folder = tmp_path / "victim", tmp_path / "a"
    victim.write_text("precious")
    save(folder, 1)
    planned = names(folder)
    for path in folder.iterdir():
        path.unlink()
    for name in planned:
        if name != "index.json":
            (folder / name).symlink_to(victim)
    save(folder, 1)
    assert load(folder) == 1 and not any(path.is_symlink() for path in folder.iterdir())
    (folder / LOCK).unlink()
    (folder / LOCK).symlink_to(victim)
    with pytest.raises(OSError, match=re.escape(LOCK)):
        save(folder, 2)
    assert victim.read_text() == "precious" and load(folder) == 1 and len(names(folder)) == 4


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("existing", [True, False])
def test_after_an_error_the_folder_is_unchanged(tmp_path, error, existing):
    folder = tmp_path / "above" / "a"
    if existing:
        save(folder, 1)
    with pytest.raises(error), write_version(folder, KIND) as writer:
        writer.array("image.npy", (5, 3), "int8")
        raise error("no")
    assert (load(folder), len(names(folder))) == (1, 4) if existing else not (tmp_path / "above").exists()


@pytest.mark.parametrize(("value", "error"), [(float("nan"), ValueError), (2**70, ValueError), ({1}, TypeError)])
def test_entries_that_cannot_be_written_leave_the_folder_unchanged(tmp_path, value, error):
    save(tmp_path / "a", 1)
    for name in "ab":
        with pytest.raises(error):
            save_entry(tmp_path / name, value)
    assert load(tmp_path / "a") == 1 and len(names(tmp_path / "a")) == 4 and not (tmp_path / "b").exists()


def test_a_failure_between_the_renames_leaves_the_old_version(tmp_path, monkeypatch):
    from labelgraph._core.temporary import Temporary

    save(tmp_path / "a", 1)
    rename = Temporary.rename

    def fail(self, path):
        if path.name == "index.json":
            raise OSError(errno.EIO, "broken")
        rename(self, path)

    monkeypatch.setattr(Temporary, "rename", fail)
    for name in "ab":
        with pytest.raises(OSError, match="broken") as caught:
            save(tmp_path / name, 2)
        assert caught.value.filename == str(tmp_path / name)
    assert load(tmp_path / "a") == 1 and len(names(tmp_path / "a")) == 4 and not (tmp_path / "b").exists()


def test_an_array_bigger_than_the_disk_is_an_error(tmp_path):
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)]
    if sys.platform != "linux" or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root can mount a small file system; a full disk is not tested")
    try:
        save(tmp_path / "a", 1)
        for size in (100_000, 9_000):  # Larger than the disk; larger than the space left for the second array.
            for name in "ab":
                with pytest.raises(OSError) as caught:
                    save(tmp_path / name, 2, size)
                assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / name))
            assert names(tmp_path) == ["a"] and load(tmp_path / "a") == 1 and len(names(tmp_path / "a")) == 4
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path)], check=True)
        with pytest.raises(OSError) as caught:
            save(tmp_path / "a", 2)
        assert (caught.value.errno, caught.value.filename) == (errno.EROFS, str(tmp_path / "a"))
        assert load(tmp_path / "a") == 1
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "a").write_text("mine")
    for path in (tmp_path / "a", tmp_path / "a" / "below"):
        with pytest.raises(OSError) as caught:
            save(path, 1)
        assert str(tmp_path / "a") in str(caught.value)
    assert (tmp_path / "a").read_text() == "mine"


def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        save(tmp_path / "a", 1)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o750
    assert {stat.S_IMODE((tmp_path / "a" / name).stat().st_mode) for name in names(tmp_path / "a")} == {0o640}


def test_a_file_of_an_earlier_version_is_used_again(tmp_path):
    with write_version(tmp_path, KIND) as writer:
        writer.section("model").write("part.bin", b"1" * 1000)
    entry = writer.section("model").files["part.bin"]
    number = (tmp_path / entry.file).stat().st_ino
    with write_version(tmp_path, KIND) as writer:
        assert writer.section("model").reuse("part.bin", entry)
        with pytest.raises(ValueError, match=r"model/part\.bin"):
            writer.section("model").reuse("part.bin", entry)
        writer.write("new.bin", b"2")
        with write_version(tmp_path, KIND):  # Another process replaces the version meanwhile.
            pass
        assert not (tmp_path / entry.file).exists()
    assert (tmp_path / entry.file).stat().st_ino == number and len(names(tmp_path)) == 3
    with open_version(tmp_path, KIND) as version:
        assert version.section("model").read("part.bin") == b"1" * 1000
    save(tmp_path, 1)
    with write_version(tmp_path, KIND) as writer:
        assert not writer.reuse("part.bin", entry)
        writer.write("part.bin", b"1" * 1000)


def test_only_files_of_the_folder_are_used_again(tmp_path):
    with write_version(tmp_path / "a", KIND) as writer:
        writer.write("part.bin", b"1")
    entry = writer.files["part.bin"]
    (tmp_path / "victim").write_bytes(b"1")
    (tmp_path / "a" / entry.file).unlink()
    (tmp_path / "a" / entry.file).symlink_to(tmp_path / "victim")
    with write_version(tmp_path / "a", KIND) as writer:
        assert not writer.reuse("part.bin", entry)
        with pytest.raises(ValueError, match="file of the folder"):
            writer.reuse("other", type(entry)("../victim", 1, entry.sha256))


def test_rows_can_be_appended_through_the_open_file(tmp_path):
    with write_version(tmp_path, KIND) as writer:
        file = writer.open("rows.npy")
        np.save(file, np.arange(4))
        file.seek(-8, os.SEEK_END)
        file.write(np.array([9]).tobytes())
        library = writer.path("other.npy")
        np.save(library, np.arange(3))
    with open_version(tmp_path, KIND) as version:
        version.verify()
        assert version.array("rows.npy").tolist() == [0, 1, 2, 9] and version.array("other.npy").tolist() == [0, 1, 2]
