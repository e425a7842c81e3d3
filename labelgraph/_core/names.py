"""Checks of names that users give; the error on an unknown name suggests the nearest known name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from labelgraph._core.argument_kinds import received

SIDES = ("image", "text")  # The order of the sides in every tuple and axis.

MANY = 100_000  # The comparison of more names would take seconds.


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the suggestion for an error on an unknown name; an empty text if no known name is near.

    Example:
        >>> from labelgraph._core.names import did_you_mean
        >>> did_you_mean("algnc", ["algcn", "dagnn"])
        "; did you mean 'algcn'?"
    """
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1) if len(names) <= MANY else []
    return f"; did you mean {near[0]!r}?" if near else ""


def check_name(argument: str, name: Any, known: Iterable[str]) -> None:
    """Check that a name is known.

    Raises:
        ValueError: If the name is unknown; the message lists known names and suggests the nearest one.
    """
    names = list(known)
    if isinstance(name, str) and name in names:
        return
    near = did_you_mean(name, names) if isinstance(name, str) else ""
    listed = ", ".join(names[:10]) + (f", ... ({len(names)})" if len(names) > 10 else "")
    raise ValueError(f"'{argument}' must be one of {listed or 'none'} (got {received(name)}){near}")
