"""Signals that end a command while it still imports its modules.

`stopping` (see `signals`) handles signals once the command runs. Its imports take a tenth of a second and more, in
which Ctrl-C would print a traceback. No temporary file exists then, so the process can end immediately.

Python itself needs some 50 ms before it imports this module. Ctrl-C then prints Python's own traceback, and SIGTERM
ends the process without a line: no code of this library has run yet.
"""

# `pathlib` and `contextlib` would take time to import.
# ruff: noqa: PTH100, PTH118, PTH119, PTH120, SIM105

import os
import signal
import sys
from types import FrameType

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def is_command() -> bool:
    """Check whether Python was started as ``labelgraph``, ``python -m labelgraph`` or ``python -m benchmarks.NAME``.

    Other programs that import the package keep their own signal handlers; so do worker processes of a command.
    """
    for word in sys.orig_argv[-len(sys.argv) :][:1]:
        name = os.path.basename(word).removeprefix("-m").partition(".")[0]
        if name in ("labelgraph", "benchmarks"):
            return getattr(sys.modules.get(name), "__file__", None) == os.path.join(ROOT, name, "__init__.py")
    return False


def end_at_once(number: int, frame: FrameType | None = None) -> None:
    """Print one line and end the process with the exit status of the signal; a signal handler."""
    cause = "interrupted" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}"
    try:
        os.write(2, f"{cause}; give the same command again\n".encode())
    except OSError:  # Standard error may be closed.
        pass
    os._exit(128 + number)


def handle_early() -> None:
    """Let Ctrl-C and SIGTERM end the process at once, unless they are ignored or handled already."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, end_at_once)


if is_command():
    handle_early()
