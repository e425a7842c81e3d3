import json
import os
import tracemalloc

import pytest

from labelgraph._core.json_files import parse_json, read_json, write_json

BAD = {
    "empty": b"", "cut": b'{"a": ', "deep": b"[" * 200_000, "not UTF-8": b'"\xff"', "UTF-16": "[1]".encode("utf-16"),
    "NaN": b"[NaN]", "infinite": b"[-Infinity]", "too large": b"[1e999]", "64 bits": b"[9223372036854775808]",
    "digits": b"[" + b"9" * 10_000 + b"]", "twice": b'{"a": 1, "a": 2}', "half": b'["\\ud800"]',
    "BOM": b"\xef\xbb\xbf[]",
    "escape": b'{"\\udc00": 1}', "two": b"1 2",
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_every_error_on_a_damaged_file_names_the_file(tmp_path, name):
    path = tmp_path / "bad.json"
    path.write_bytes(BAD[name])
    with pytest.raises(ValueError, match="expected JSON") as caught:
        read_json(path)
    assert type(caught.value) is ValueError and str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)


def test_what_is_written_is_read(tmp_path):
    value = {"ä": [1, -(2**63), 2**63 - 1, 0.1, None, True, "\U0001f600"], "": {"a": {}}}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value == json.loads((tmp_path / "a.json").read_bytes())
    assert parse_json(b'"\\ud83d\\ude00"', "x") == "\U0001f600"


def test_a_small_file_needs_no_memory_for_the_largest(tmp_path):
    (tmp_path / "a.json").write_text("[1]")
    tracemalloc.start()
    try:
        assert read_json(tmp_path / "a.json", limit=1 << 30) == [1]
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_size_and_kind_of_file(tmp_path):
    (tmp_path / "a.json").write_bytes(b"[" + b" " * 98 + b"]")
    assert read_json(tmp_path / "a.json", limit=100) == []
    with pytest.raises(ValueError, match=r"a\.json: expected at most 99 bytes"):
        read_json(tmp_path / "a.json", limit=99)
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        read_json(tmp_path / "none.json")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(ValueError, match=str(path)):
            read_json(path)


@pytest.mark.parametrize(("value", "error"), [([float("nan")], ValueError), ({"a": object()}, TypeError)])
def test_a_value_that_cannot_be_written_leaves_the_file_unchanged(tmp_path, value, error):
    write_json(tmp_path / "a.json", 1)
    with pytest.raises(error):
        write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == 1 and len(list(tmp_path.iterdir())) == 1
