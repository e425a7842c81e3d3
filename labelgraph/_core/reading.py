"""Errors on damaged files: every error is one line that names the file."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 200  # Most characters that an error quotes of a value or of another library's message.


@contextmanager
def reading(path: str | Path, content: str) -> Iterator[None]:
    """Turn any exception of a parser on a damaged file into one error that names the file.

    Errors that begin with the path, errors on missing packages and system errors on the file itself pass unchanged.

    Args:
        path: Path of the file or folder.
        content: Expected content, such as ``"a Parquet table"``.

    Raises:
        ValueError: If the file does not have the expected content.
        OSError: If the system cannot read it, or there is not enough memory.

    Example:
        >>> from labelgraph._core.reading import reading
        >>> with reading("numbers.txt", "a whole number"):
        ...     int("1x")
        Traceback (most recent call last):
        ValueError: numbers.txt: expected a whole number (got invalid literal for int() with base 10: '1x')
    """
    try:
        yield
    except ImportError:
        raise
    except MemoryError as error:
        raise OSError(errno.ENOMEM, "not enough memory to read the file", str(path)) from error
    except Exception as error:
        if isinstance(error, ValueError | OSError) and _names(error, path):
            raise
        kind = "" if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: "
        raise ValueError(f"{path}: expected {content} (got {kind}{one_line(error)})") from error


@contextmanager
def refusing(path: str | Path, expected: str) -> Iterator[None]:
    """Turn every exception into an error that names the file; `reading` lets some through.

    Args:
        path: Path of the file.
        expected: Expected content, such as ``"the entries of a method"``.

    Raises:
        ValueError: In place of every exception, since damaged content can cause exceptions of many types.

    Example:
        >>> from labelgraph._core.reading import refusing
        >>> with refusing("model.json", "the entries of a method"):
        ...     {}["config"]
        Traceback (most recent call last):
        ValueError: model.json: expected the entries of a method (got KeyError: 'config')
    """
    try:
        yield
    except Exception as error:
        raise ValueError(
            f"{path}: expected {expected} (got {one_line(f'{type(error).__name__}: {error}', 300)})"
        ) from error


def _names(error: ValueError | OSError, path: str | Path) -> bool:
    """Check whether an error already names its file: a system error, or a message that begins with the path."""
    named_by_system = isinstance(error, OSError) and error.errno is not None and error.filename is not None
    return named_by_system or (str(error).startswith(str(path)) and "\n" not in str(error))


def one_line(text: object, longest: int = LONGEST) -> str:
    r"""Format a text for a message: on one line, without control characters, and cut off if it is long.

    Example:
        >>> from labelgraph._core.reading import one_line
        >>> one_line("two\n lines\0")
        'two lines\\x00'
    """
    words = " ".join(str(text)[: 8 * longest].split())
    shown = "".join(character if character.isprintable() else repr(character)[1:-1] for character in words)
    return shown if len(shown) <= longest else shown[: longest - 3] + "..."


def quoted(value: object, longest: int = LONGEST) -> str:
    """Return the ``repr`` of a value, formatted by `one_line`.

    Example:
        >>> from labelgraph._core.reading import quoted
        >>> quoted("a" * 1000, 10)
        "'aaaaaa..."
    """
    return one_line(repr(value[: 4 * longest] if isinstance(value, str | bytes) else value), longest)
