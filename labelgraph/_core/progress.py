"""Progress of long tasks: a bar on a terminal, a line every ten seconds in a log file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

SECONDS = 10.0  # Time between two lines of a log file.
ENDLESS = "{desc}: {n_fmt} {unit}, {elapsed} elapsed{postfix}"
LINE = "{desc}: {percentage:.0f} % ({n_fmt}/{total_fmt} {unit}, {elapsed} elapsed, {remaining} left{postfix})"


def progress_bar(description: str, total: int | None, unit: str, *, shown: bool = True, **options: Any) -> tqdm:
    """Create a progress bar of tqdm on standard error; if standard error is not a terminal, it prints lines.

    A task that takes less than ten seconds prints no line.

    Args:
        description: Name of the task, in a word or two.
        total: Number of units of the task, if it is known.
        unit: Name of the units, such as ``"items"``.
        shown: Whether to show progress.
        options: Options of ``tqdm.tqdm``.

    Example:
        >>> from labelgraph._core.progress import progress_bar
        >>> with progress_bar("embedding", 3, "items") as bar:
        ...     for _ in range(3):
        ...         _ = bar.update()
    """
    from tqdm import tqdm

    if not shown or sys.stderr.isatty():
        return tqdm(desc=description, total=total, unit=f" {unit}", disable=not shown, **options)

    class Lines(tqdm):
        """A bar that prints a new line for every update."""

        def display(self, msg: str | None = None, pos: int | None = None) -> bool:
            if msg != "":  # tqdm clears a bar by an empty text.
                self.fp.write(f"{msg or self}\n")
                self.fp.flush()
            return True

        def clear(self, nolock: bool = False) -> None:
            """Keep the printed lines."""

    # A bar at position 1 does not print a carriage return at its end.
    times = {"position": 1, "mininterval": SECONDS, "maxinterval": SECONDS, "delay": SECONDS, "miniters": 1}
    return Lines(
        desc=description,
        total=total,
        unit=unit,
        bar_format=LINE if total else ENDLESS,
        **{**options, **times, "leave": False},
    )
