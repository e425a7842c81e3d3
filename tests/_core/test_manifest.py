import json
import os
from dataclasses import asdict

import pytest

from labelgraph._core.digests import sha256_json
from labelgraph._core.manifest import FileEntry, FolderFormat, Manifest, read_manifest

KIND = FolderFormat("model.json", "test model", 3)
DIGEST = "0123456789abcdef" * 4
ENTRY = FileEntry(f"weights-{DIGEST[:16]}.bin", 7, DIGEST)


def changed(folder, **changes):
    """Write a manifest with other top-level values and a matching checksum."""
    content = {"format": KIND.name, "version": 3, "entries": {}, "files": {"weights": asdict(ENTRY)}, **changes}
    content["checksum"] = sha256_json(content)
    (folder / KIND.manifest).write_text(json.dumps(content))
    return read_manifest(folder, KIND)


def test_what_is_written_is_read(tmp_path):
    manifest = Manifest({"channels": [3, 4], "name": "ä"}, {"weights": ENTRY})
    (tmp_path / KIND.manifest).write_bytes(manifest.dump(tmp_path / KIND.manifest, KIND))
    assert read_manifest(tmp_path, KIND) == manifest == Manifest(manifest.entries, {"weights": ENTRY})
    assert changed(tmp_path).files == {"weights": ENTRY}


@pytest.mark.parametrize(
    "name",
    [
        "../{}",
        "/etc/{}",
        "sub/{}",
        "..\\{}",
        "",
        ".",
        "..",
        "{}/",
        ".{}",
        "model.json",
        "{}\n",
        "x" * 300,
        "a\0{}",
        3,
        None,
    ],
)
def test_a_name_outside_of_the_folder_is_refused(tmp_path, name):
    file = name.format(ENTRY.file) if isinstance(name, str) else name
    with pytest.raises(ValueError, match=r"model\.json: expected a file of this folder for 'weights'"):
        changed(tmp_path, files={"weights": {**asdict(ENTRY), "file": file}})


@pytest.mark.parametrize(
    "entry",
    [
        {}, [], None, "weights", {**asdict(ENTRY), "size": -1}, {**asdict(ENTRY), "size": True},
        {**asdict(ENTRY), "size": 1.5}, {**asdict(ENTRY), "sha256": DIGEST.upper()}, {**asdict(ENTRY), "sha256": None},
        {**asdict(ENTRY), "sha256": "f" * 64}, {**asdict(ENTRY), "more": 1},
    ],
)  # fmt: skip
def test_a_damaged_file_entry_is_refused(tmp_path, entry):
    with pytest.raises(ValueError, match=r"model\.json: expected a file"):
        changed(tmp_path, files={"weights": entry})


@pytest.mark.parametrize(
    "changes",
    [{"version": "x" * 100_000}, {"files": {"x" * 100_000: None}}, {"files": {"weights": {"file": "x\n" * 100_000}}}],
)
def test_a_message_is_one_short_line_whatever_the_file_holds(tmp_path, changes):
    with pytest.raises(ValueError, match=r"model\.json: expected") as error:
        changed(tmp_path, **changes)
    assert len(str(error.value)) < 1000 and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"format": "other"}, "expected a test model"),
        ({"version": 4}, "version 3 .got 4"),
        ({"entries": []}, "'entries'"),
        ({"files": [ENTRY.file]}, "'files'"),
        ({"files": {str(number): asdict(ENTRY) for number in range(257)}}, "at most 256"),
    ],
)
def test_another_format_is_refused(tmp_path, changes, expected):
    with pytest.raises(ValueError, match=rf"model\.json: .*{expected}"):
        changed(tmp_path, **changes)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"[" * 100_000, b"\xff", b'{"format": "test model"}'])
def test_other_json_is_refused(tmp_path, content):
    (tmp_path / KIND.manifest).write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.json: expected"):
        read_manifest(tmp_path, KIND)


def test_deep_entries_are_refused_with_the_file_name(tmp_path):
    deep = b'{"format": "test model", "version": 3, "entries": ' + b"[" * 900 + b"]" * 900 + b"}"
    (tmp_path / KIND.manifest).write_bytes(deep)
    with pytest.raises(ValueError, match=r"model\.json: expected"):
        read_manifest(tmp_path, KIND)


def test_every_flipped_bit_is_an_error_or_changes_nothing(tmp_path):
    manifest, path = Manifest({"channels": [3, 4.5], "name": "ä"}, {"weights": ENTRY}), tmp_path / KIND.manifest
    good, seen = manifest.dump(path, KIND), 0
    for place in range(len(good)):
        for bit in (0, 2, 5, 7):
            try:
                content = good[:place] + bytes([good[place] ^ 1 << bit]) + good[place + 1 :]
                assert Manifest.parse(content, path, KIND) == manifest
            except ValueError as error:
                assert type(error) is ValueError and str(error).startswith(f"{path}: ") and len(str(error)) < 1000
                seen += 1
    assert seen > 3.5 * len(good)  # White space may change.


def test_the_manifest_must_be_a_regular_file(tmp_path):
    path = tmp_path / KIND.manifest
    with pytest.raises(FileNotFoundError, match=r"model\.json: no such test model"):
        read_manifest(tmp_path, KIND)
    with pytest.raises(FileNotFoundError, match="no such test model"):
        read_manifest(tmp_path / "none", KIND)
    changed(tmp_path)
    path.rename(tmp_path / "other")
    for plant in (lambda: path.symlink_to(tmp_path / "other"), path.mkdir, lambda: os.mkfifo(path)):
        plant()
        with pytest.raises(ValueError, match=r"model\.json: expected a file"):
            read_manifest(tmp_path, KIND)
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


@pytest.mark.parametrize(
    ("entries", "error"), [({"a": float("inf")}, ValueError), ({"a": 2**64}, ValueError), ({"a": {1}}, TypeError)]
)
def test_entries_that_cannot_be_read_again_are_not_written(tmp_path, entries, error):
    with pytest.raises(error):
        Manifest(entries, {}).dump(tmp_path / KIND.manifest, KIND)
