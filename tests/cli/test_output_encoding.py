"""Output in encodings that lack characters of the names."""

import json
import os
import subprocess
import sys

import pytest
import torch

from labelgraph.data import CrossModalData, save_npz


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "d.npz"
    ones = torch.ones(4, 2)
    save_npz(CrossModalData(ones, ones, ones, label_names=["猫", "café"]), path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_characters_that_are_missing_are_escaped(path, encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "labelgraph", "data", "check", str(path)]
    plain, as_json = (
        subprocess.run([*command, *more], env=environment, capture_output=True) for more in ([], ["--json"])
    )
    assert plain.returncode == as_json.returncode == 0 and not plain.stderr
    assert ("猫" if encoding == "utf-8" else "\\u732b") in plain.stdout.decode(encoding)
    assert "猫" in json.dumps(json.loads(as_json.stdout.decode(encoding)), ensure_ascii=False)
