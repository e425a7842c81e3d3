"""With very many labels, nothing of items times labels or of labels times labels is made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_200_000_labels_of_50_000_items_fit_into_3_gb():
    """Dense, the labels take 40 GB, and an adjacency matrix 160 GB; the process may have 3 GB."""
    root = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.many_labels"]
    finished = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=900)
    assert finished.returncode == 0, f"{finished.stdout}\n{finished.stderr[-3000:]}"
    steps = ["files", "changes", "card", "batches", "graphs", "measures", "trainings"]
    assert finished.stdout.split() == ["limited", *steps]
