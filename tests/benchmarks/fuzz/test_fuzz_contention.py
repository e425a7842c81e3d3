"""The short form for every kind of output: two writers and a reader at one place."""

import pytest

from benchmarks.fuzz.contention import OUTPUTS, Output, contend

pytestmark = pytest.mark.slow  # Whole commands and processes.

ROUNDS = 8
SLOW = ("run-folder", "training")


@pytest.mark.parametrize("name", [pytest.param(each, marks=[pytest.mark.slow] * (each in SLOW)) for each in OUTPUTS])
def test_two_writers_and_a_reader(name, tmp_path):
    found = contend(name, ROUNDS // 3 if name in SLOW else ROUNDS, tmp_path)
    assert sum(count for end, count in found["counts"].items() if end.startswith("in the end")) == found["rounds"]
    assert found["failures"] == []


def write_in_two_steps(place, version):
    for name in ("a", "b"):
        (place / name).write_text(str(version) * 200_000)


def read_both(place):
    return [(place / name).read_text() for name in ("a", "b")]


def test_a_careless_writer_is_found_out(tmp_path, monkeypatch):
    monkeypatch.setitem(OUTPUTS, "careless", Output(write_in_two_steps, read_both))
    found = contend("careless", 100, tmp_path)
    assert "mixed" in " ".join(failure["kind"] for failure in found["failures"])
