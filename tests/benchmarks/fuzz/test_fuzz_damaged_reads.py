"""The short form for every reader: a damaged file is refused in a line that names it, or read; nothing else happens."""

import pytest

from benchmarks.fuzz.damaged_reads import read_damaged
from benchmarks.fuzz.outcomes import FINE
from benchmarks.fuzz.reader_cases import READERS, Reader

pytestmark = pytest.mark.slow  # Whole commands and processes.

CASES = 4

SLOW = ("run-folder",)


@pytest.mark.parametrize("name", [pytest.param(each, marks=[pytest.mark.slow] * (each in SLOW)) for each in READERS])
def test_damaged_files(name, tmp_path):
    outcomes = list(read_damaged(name, CASES, seed=0, place=tmp_path / "work"))
    assert len(outcomes) == 2 * CASES
    assert [outcome for outcome in outcomes if outcome["kind"] not in FINE] == []


def careless(folder):
    """A reader without any check."""
    content = (folder / "data.txt").read_bytes()
    if content[:4] != b"good":
        raise KeyError("four")
    return content


def test_a_careless_reader_is_found_out(tmp_path, monkeypatch):
    reader = Reader(lambda folder: (folder / "data.txt").write_bytes(b"good" * 9) and None, careless, checksums=True)
    monkeypatch.setitem(READERS, "careless", reader)
    kinds = {outcome["kind"] for outcome in read_damaged("careless", 40, seed=0, place=tmp_path / "work")}
    assert {"foreign exception", "silent change"} <= kinds


def test_an_input_that_cannot_be_read_is_an_error_of_the_test(tmp_path, monkeypatch):
    reader = Reader(lambda folder: (folder / "data.txt").write_bytes(b"bad!") and None, careless)
    monkeypatch.setitem(READERS, "careless", reader)
    with pytest.raises(ValueError, match=r"careless.*KeyError"):
        list(read_damaged("careless", 1, seed=0, place=tmp_path / "work"))
