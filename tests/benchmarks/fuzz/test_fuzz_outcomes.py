import re

import pytest

from benchmarks.fuzz.outcomes import (
    CRASH,
    DIFFERENT,
    FOREIGN,
    HANG,
    IDENTICAL,
    MEMORY,
    MESSAGE,
    OUTSIDE,
    REFUSED,
    SILENT,
    of_end,
    outcome_of,
)

pytestmark = pytest.mark.slow  # Whole commands and processes.


def kind(read, folder, checked=False, named=True):
    return outcome_of(read, folder, "right", checked, named)["kind"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "place" / "case").mkdir(parents=True)
    return tmp_path / "place" / "case"


def raising(error):
    def read():
        raise error

    return read


def test_content_is_compared(folder):
    assert kind(lambda: "right", folder) == IDENTICAL
    assert kind(lambda: "other", folder) == DIFFERENT
    assert kind(lambda: "other", folder, checked=True) == SILENT


@pytest.mark.parametrize("error", [ValueError, OSError, FileNotFoundError, ImportError])
def test_one_line_that_names_the_file_is_a_clean_refusal(folder, error):
    assert kind(raising(error(f"{folder}/a.npz: is damaged")), folder) == REFUSED


@pytest.mark.parametrize("text", ["is damaged", "{}/a.npz: is\ndamaged", "{}/a.npz: " + 9999 * "x"])
def test_other_messages_are_failures(folder, text):
    assert kind(raising(ValueError(text.format(folder))), folder) == MESSAGE


@pytest.mark.parametrize("error", [KeyError, IndexError, TypeError, RecursionError, SystemExit, AssertionError])
def test_other_exceptions_are_failures(folder, error):
    assert kind(raising(error(f"{folder}/a.npz: is damaged")), folder) == FOREIGN


def test_a_refusal_for_want_of_memory_is_a_failure(folder):
    def read():
        try:
            raise MemoryError
        except MemoryError as error:
            raise ValueError(f"{folder}: is damaged") from error

    assert kind(read, folder) == MEMORY


def test_files_elsewhere_are_not_to_be_read(folder):
    secret = folder.parents[1] / "secret"
    secret.write_text("x")
    assert kind(secret.read_text, folder) == OUTSIDE
    assert kind(lambda: "right", folder) == IDENTICAL


def test_the_place_in_the_source_is_told(folder):
    from benchmarks.fuzz.public_names import load_npz

    (folder / "a.npz").write_bytes(b"not an archive")
    found = outcome_of(lambda: load_npz(folder / "a.npz"), folder / "elsewhere", "right", False, True)
    assert found["kind"] == MESSAGE
    assert re.fullmatch(r"labelgraph/data/formats/npz\w*\.py:\d+ \w+", found["place"])


def test_ends_of_processes():
    assert of_end("hang", "")["kind"] == HANG
    assert of_end(-11, "") == {"kind": CRASH, "detail": "SIGSEGV", "place": ""}
