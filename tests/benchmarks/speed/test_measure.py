"""Measurement of two functions in turns."""

import time

from benchmarks.speed.measure import pair


def busy():
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass


def test_cpu_time_leaves_waiting_out():
    figures = pair("waiting against working", lambda: time.sleep(0.02), busy, repeats=3, warm_up=1)
    assert len(figures["cpu_ratios"]) == figures["repeats"] == 3
    assert max(figures["cpu_ratios"]) < 0.5 and figures["seconds"]["lower"] >= 0.02
