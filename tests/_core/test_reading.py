"""Errors of damaged files."""

import errno
import struct
import tokenize
import zlib

import pytest

from labelgraph._core.reading import one_line, quoted, reading


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad\nvalue"), KeyError("x"), zlib.error("stream"), struct.error("short"), IndexError("9"),
        tokenize.TokenError("EOF", (1, 0)), RecursionError("deep"), OverflowError("big"), AttributeError("groupdict"),
        StopIteration(), EOFError(), OSError("no number"), RuntimeError("x" * 10_000),
    ],
)  # fmt: skip
def test_every_parser_error_becomes_one_line_that_names_the_file(error):
    with (
        pytest.raises(ValueError, match=r"^a\.npz: expected an archive \(got ") as caught,
        reading("a.npz", "an archive"),
    ):
        raise error
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a.npz: told"),
        FileNotFoundError("a.npz: none"),
        ImportError("h5py"),
        PermissionError(13, "No", "a.npz"),
    ],
)
def test_errors_that_name_the_file_pass_unchanged(error):
    with pytest.raises(type(error)) as caught, reading("a.npz", "an archive"):
        raise error
    assert caught.value is error


def test_a_lack_of_memory_is_a_system_error():
    with pytest.raises(OSError, match=r"not enough memory.*a\.npz") as caught, reading("a.npz", "an archive"):
        raise MemoryError
    assert caught.value.errno == errno.ENOMEM


def test_signals_pass():
    with pytest.raises(KeyboardInterrupt), reading("a.npz", "an archive"):
        raise KeyboardInterrupt


def test_quotes_are_short_and_on_one_line():
    assert one_line("a\n\tb\x1b[31m") == "a b\\x1b[31m"
    assert len(quoted("a" * 10**6)) <= 200 and quoted("a\nb") == r"'a\nb'"
