"""Names that users give: unknown ones are refused, with the nearest known name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SIDES = ("image", "text")  # In this order wherever both stand in a tuple or an axis.

MANY = 100_000  # Comparing more names would take seconds.


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """What to add to an error about an unknown name; nothing where no known name is near.

    Example:
        >>> from labelgraph._core.names import did_you_mean
        >>> did_you_mean("algnc", ["algcn", "dagnn"])
        "; did you mean 'algcn'?"
    """
    names = list(known)
    near = difflib.get_close_matches(given, names, n=1) if len(names) <= MANY else []
    return f"; did you mean {near[0]!r}?" if near else ""


def check_name(argument: str, given: str, known: Iterable[str]) -> None:
    """Refuse a name that is unknown.

    Raises:
        ValueError: With some of the known names, and the nearest.
    """
    names = list(known)
    if given in names:
        return
    listed = ", ".join(names[:10]) + (f", ... ({len(names)})" if len(names) > 10 else "")
    raise ValueError(f"'{argument}' must be one of {listed or 'none'} (got {given!r}){did_you_mean(given, names)}")
