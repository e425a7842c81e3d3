"""Damaged files of every reader: refused by name, or read rightly; never a crash, never much memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("h5py")
pytest.importorskip("pyarrow")

READERS = (
    "six_files", "hashing_files", "coco", "wikipedia", "folder", "folder_read_whole", "npz", "csv", "parquet",
    "text_vectors", "binary_vectors", "mat_vectors", "label_counts", "index_folder", "index_json", "index_npz",
    "pictures",
)  # fmt: skip


@pytest.fixture(scope="module")
def outcomes():
    command = [sys.executable, "-m", "tests.data.mutate_files"]
    result = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    return json.loads(result.stdout)


@pytest.mark.slow
@pytest.mark.slow
def test_every_reader_is_tried(outcomes):
    assert set(outcomes) == set(READERS)


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_a_damaged_file_is_refused_by_name_or_read_rightly(outcomes, reader):
    outcome = outcomes[reader]
    assert outcome["wrong"] == []
    assert outcome["refused"] + outcome["read"] == 300 and outcome["refused"] > 100
    assert outcome["grown"] < 200, "MiB"
