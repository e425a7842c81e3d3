import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from labelgraph._core.commit import write_version
from labelgraph._core.manifest import FolderFormat
from labelgraph._core.versions import open_version

KIND = FolderFormat("data.json", "test data", 1)


@pytest.fixture
def saved(tmp_path):
    folder = tmp_path / "data"
    with write_version(folder, KIND, {"names": ["a"]}) as writer:
        writer.write("notes.txt", b"notes")
        writer.array("image.npy", (100, 3), "float32")[...] = 7
        model = writer.section("model")
        model.entries["width"] = 5
        model.write("weights.bin", b"weights")
    return folder


def file(folder, stem):
    return next(path for path in folder.iterdir() if path.name.startswith(stem))


def test_a_version_and_its_sections(saved):
    with open_version(saved, KIND) as version:
        assert version.entries == {"names": ["a"], "model": {"width": 5}}
        assert sorted(version.files) == ["image.npy", "model/weights.bin", "notes.txt"]
        model = version.section("model")
        assert model.entries == {"width": 5} and list(model.files) == ["weights.bin"]
        assert model.read("weights.bin") == b"weights" and model.path("weights.bin").parent == saved
        version.verify()
        array = version.array("image.npy")
    assert array.shape == (100, 3) and (array == 7).all()


def test_the_error_on_an_unknown_name_lists_the_files(saved):
    with open_version(saved, KIND) as version:
        with pytest.raises(ValueError, match=r"data\.json: expected the file 'text.npy' \(got .*image.npy"):
            version.array("text.npy")
        with pytest.raises(ValueError, match=r"data\.json: expected the entry 'other'"):
            version.section("other")


def test_an_open_version_stays_complete_when_it_is_replaced_and_deleted(saved):
    with open_version(saved, KIND) as version:
        array = version.array("image.npy")
        with write_version(saved, KIND):
            pass
        assert version.read("notes.txt") == b"notes" and not version.path("notes.txt").exists()
        shutil.rmtree(saved)
        version.verify()
    assert (array == 7).all()


def test_a_mapped_array_is_checked_where_it_is_needed_also_after_it_was_deleted(saved):
    with open_version(saved, KIND) as version:
        array, check = version.checked_array("image.npy")
        shutil.rmtree(saved)
    check()
    assert array.shape == (100, 3) and (array == 7).all()


@pytest.mark.parametrize("changed", [b" \n", b"\0"])  # A space of the header that no one misses, and a number.
def test_a_damaged_mapped_array_is_an_error_where_it_is_needed(saved, changed):
    path = file(saved, "image")
    content = path.read_bytes()
    place = content.rindex(changed)
    path.write_bytes(content[:place] + (b"\t" if changed[0] else b"\1") + content[place + 1 :])
    with open_version(saved, KIND) as version:
        _, check = version.checked_array("image.npy")
    with pytest.raises(ValueError, match=f"{path.name}: expected SHA-256"):
        check()


def test_files_are_checked_ahead_and_only_once(saved, monkeypatch):
    """Also those of a section, and of files that are closed and deleted meanwhile."""
    with open_version(saved, KIND) as version:
        version.check_ahead("image.npy", "model/weights.bin")
        model = version.section("model")
        _, check = version.checked_array("image.npy")
        shutil.rmtree(saved)
        for name in ("sha256_bytes", "sha256_file"):
            monkeypatch.setattr(f"labelgraph._core.versions.{name}", None)
        model.verify()
        with pytest.raises(TypeError):
            version.verify("notes.txt")
    check()


def test_a_file_that_is_found_damaged_ahead_is_an_error_where_it_is_needed(saved):
    for stem in ("image", "model-weights"):
        path = file(saved, stem)
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with open_version(saved, KIND) as version:
        version.check_ahead("image.npy", "model/weights.bin")
        with pytest.raises(ValueError, match=r"model-weights.*: expected SHA-256 .* damaged"):
            version.section("model").verify("weights.bin")
        _, check = version.checked_array("image.npy")
    with pytest.raises(ValueError, match=r"image.*: expected SHA-256 .* damaged"):
        check()


@pytest.mark.parametrize("stem", ["notes", "image", "model.weights", "model-weights"])
def test_every_damaged_file_is_an_error(saved, stem):
    paths = [path for path in saved.iterdir() if path.name.startswith(stem)]
    for path in paths:
        good = path.read_bytes()
        for content in (good[:-1], good + b"x"):
            path.write_bytes(content)
            with pytest.raises(ValueError, match=f"{path.name}: expected .* bytes"), open_version(saved, KIND):
                pass
        path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        with open_version(saved, KIND) as version, pytest.raises(ValueError, match=f"{path.name}: expected SHA-256"):
            version.verify()
    assert paths or stem == "model.weights"


def test_a_missing_file_is_an_error_at_once(saved):
    path = file(saved, "notes")
    path.unlink()
    start = time.monotonic()
    with pytest.raises(FileNotFoundError, match=path.name), open_version(saved, KIND):
        pass
    assert time.monotonic() - start < 5


def test_links_and_pipes_are_not_read(saved, tmp_path):
    path = file(saved, "notes")
    path.rename(tmp_path / "notes")
    path.symlink_to(tmp_path / "notes")
    with pytest.raises(ValueError, match=f"{path.name}: expected a file .*link"), open_version(saved, KIND):
        pass
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match=f"{path.name}: expected a file"), open_version(saved, KIND):
        pass


def test_opening_gives_up_after_the_patience(saved, monkeypatch):
    """Simulate versions that are replaced before their files are open."""
    file(saved, "notes").unlink()
    monkeypatch.setattr("labelgraph._core.versions._same", lambda *_: False)
    start = time.monotonic()
    with pytest.raises(FileNotFoundError, match="notes"), open_version(saved, KIND, patience=0.3):
        pass
    assert 0.3 <= time.monotonic() - start < 5


def test_no_file_descriptor_stays_open(saved):
    def count():
        return len(list(os.scandir("/proc/self/fd")))

    if not Path("/proc/self/fd").exists():
        pytest.skip("the system does not list descriptors")
    before = count()
    for _ in range(3):
        with open_version(saved, KIND) as version:
            np.asarray(version.array("image.npy")).sum()
        with write_version(saved, KIND) as writer:
            writer.array("image.npy", (5, 3), "uint8")
    file(saved, "image").unlink()
    with pytest.raises(FileNotFoundError), open_version(saved, KIND):
        pass
    assert count() == before
