"""Checks of the kinds of arguments, without PyTorch; an error names the argument, what was expected and what came."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from labelgraph._core.reading import quoted

SHOWN = (str, bytes, int, float, type(None))  # Kinds whose value says more than the name of their type.


def check_kind(argument: str, value: Any, kind: Any, expected: str) -> None:
    """Check the type of an argument.

    Args:
        argument: Name of the argument.
        value: The argument.
        kind: Type, or several.
        expected: Description of the type, such as ``"a label graph"``.

    Raises:
        ValueError: If the argument has another type.

    Example:
        >>> from labelgraph._core.argument_kinds import check_kind
        >>> check_kind("callbacks", 5, (list, tuple), "a list of Lightning callbacks")
        Traceback (most recent call last):
        ValueError: 'callbacks' must be a list of Lightning callbacks (got 5)
    """
    if not isinstance(value, kind):
        raise ValueError(f"'{argument}' must be {expected} (got {received(value)})")


def received(value: Any) -> str:
    """Describe a value for a message: a text or a number itself, anything else by its type.

    Example:
        >>> from labelgraph._core.argument_kinds import received
        >>> received("x"), received(None), received([1, 2])
        ("'x'", 'None', 'list')
    """
    return quoted(value, 60) if isinstance(value, SHOWN) else type(value).__name__


def as_path(argument: str, value: Any) -> Path:
    """Return the path of a file or a folder.

    Raises:
        ValueError: If the value is neither a text nor a path.

    Example:
        >>> from labelgraph._core.argument_kinds import as_path
        >>> as_path("folder", None)
        Traceback (most recent call last):
        ValueError: 'folder' must be a path (got None)
    """
    check_kind(argument, value, (str, os.PathLike), "a path")
    return Path(value)
