import hashlib

import numpy as np
import pytest

from labelgraph._core.digests import sha256_arrays, sha256_bytes, sha256_file, sha256_json


def test_bytes_and_files(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(content)
    expected = hashlib.sha256(content).hexdigest()
    with (tmp_path / "a").open("rb") as file:
        file.seek(7)
        assert sha256_bytes(content) == sha256_file(tmp_path / "a") == sha256_file(file) == expected


def test_arrays_differ_by_type_shape_and_content():
    array = np.arange(6, dtype=np.int32)
    others = [array.astype(np.int64), array.reshape(2, 3), array + 1, array[::-1], array.astype(">i4"), array[:0]]
    digests = {sha256_arrays([each]) for each in (array, *others)}
    assert len(digests) == 7
    expected = hashlib.sha256(b"int32(6,)" + array.tobytes()).hexdigest()
    assert sha256_arrays([array]) == sha256_arrays([np.repeat(array, 2)[::2]]) == expected
    assert sha256_arrays([np.array("text")]) != sha256_arrays([np.array("other")])
    assert sha256_arrays([np.zeros((0, 3))]) != sha256_arrays([np.zeros((3, 0))])


def test_objects_have_no_digest():
    with pytest.raises(TypeError, match="object"):
        sha256_arrays([np.array([{}])])


def test_json_values():
    assert sha256_json({"a": [1, 2.5], "b": None}) == sha256_json({"b": None, "a": [1, 2.5]})
    assert sha256_json({"a": 1}) != sha256_json({"a": "1"})
    with pytest.raises(ValueError):
        sha256_json([float("nan")])
