"""Measurement of two functions in turns, and the command that measures cases."""

import json
import subprocess
import sys
import time

import pytest

from benchmarks.speed.measure import pair


def busy():
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass


def test_cpu_time_leaves_waiting_out():
    figures = pair("waiting against working", lambda: time.sleep(0.02), busy, repeats=3, warm_up=1)
    assert len(figures["cpu_ratios"]) == figures["repeats"] == 3
    assert max(figures["cpu_ratios"]) < 0.5 and figures["seconds"]["lower"] >= 0.02


@pytest.mark.slow
def test_the_command_measures_a_case_in_a_new_process(tmp_path):
    command = [sys.executable, "-m", "benchmarks.speed", "training_step_algcn_mirflickr", "--threads", "1", "--out"]
    done = subprocess.run([*command, tmp_path / "speed.json"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (figures,) = json.loads((tmp_path / "speed.json").read_text())["figures"]
    assert "ALGCN" in figures["name"] and figures["name"] in done.stdout
