"""Handling of the signals that end a command.

SIGTERM, Ctrl-C and a closed terminal raise `Stopped` in the main thread, so that temporary files are deleted. The
command then prints one line and ends with the exit status of the signal.

`Stopped` is not an `Exception`, because libraries catch exceptions of that class. It is not a `KeyboardInterrupt`,
because Lightning turns a `KeyboardInterrupt` into exit status 1. Lightning calls the earlier handlers of SIGTERM after
its own handler, and lets other exceptions through.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
GRACE = 2.0  # Seconds in which further signals count as the same: `timeout` and terminals send several.

PAUSE = 0.01  # Seconds until a signal that came within a destructor is repeated.


class Stopped(BaseException):
    """Raised when a signal asks the process to end.

    Args:
        number: Number of the signal.
        advice: How to resume, in a few words.

    Attributes:
        status: The exit status: 130 for Ctrl-C, 143 for SIGTERM.
    """

    def __init__(self, number: int, advice: str = "") -> None:
        super().__init__(number, advice)
        self.number, self.advice, self.status = number, advice, 128 + number

    def __str__(self) -> str:
        cause = "interrupted" if self.number == signal.SIGINT else f"stopped by {signal.Signals(self.number).name}"
        return f"{cause}; {self.advice}" if self.advice else cause


class _Handler:
    """Raises `Stopped` once; a signal after the grace period ends the process immediately."""

    def __init__(self) -> None:
        self.process, self.first, self.earlier_hook = os.getpid(), 0.0, sys.unraisablehook

    def repeat(self, unraisable: Any) -> None:
        """Repeat the signal if Python ignored `Stopped`, as it does in a destructor; a `sys.unraisablehook`."""
        if not isinstance(unraisable.exc_value, Stopped):
            self.earlier_hook(unraisable)
            return
        self.first = 0.0
        repeated = threading.Timer(PAUSE, os.kill, (os.getpid(), unraisable.exc_value.number))
        repeated.daemon = True
        repeated.start()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if os.getpid() != self.process or (self.first and now - self.first > GRACE):
            # A child process must not delete the temporary files of its parent.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif not self.first:
            self.first = now
            raise Stopped(number)


@contextmanager
def stopping(final: bool = False) -> Iterator[None]:
    """Let signals raise `Stopped`; inside another `stopping`, or outside of the main thread, nothing changes.

    Ignored signals, such as SIGHUP under ``nohup``, stay ignored.

    Args:
        final: Whether to ignore the signals afterwards, because the process ends. Defaults to restoring the previous
            handlers.

    Example:
        >>> import os, signal
        >>> from labelgraph._core.signals import Stopped, stopping
        >>> with stopping():
        ...     try:
        ...         os.kill(os.getpid(), signal.SIGTERM)
        ...     except Stopped as stopped:
        ...         print(stopped, stopped.status)
        stopped by SIGTERM 143
    """
    if threading.current_thread() is not threading.main_thread() or isinstance(
        signal.getsignal(signal.SIGTERM), _Handler
    ):
        yield
        return
    handler, before = _Handler(), dict[int, Any]()
    try:
        for name in NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, handler)
        sys.unraisablehook = handler.repeat
        yield
    finally:
        sys.unraisablehook = handler.earlier_hook
        for number, earlier in before.items():
            signal.signal(number, signal.SIG_IGN if final else earlier)


@contextmanager
def advising(advice: str) -> Iterator[None]:
    """Add advice on how to resume to `Stopped` and `KeyboardInterrupt`, unless the exception has advice already."""
    try:
        yield
    except Stopped as stopped:
        stopped.advice = stopped.advice or advice
        raise
    except KeyboardInterrupt as interrupt:
        raise Stopped(signal.SIGINT, str(interrupt) or advice) from None


def run_command(run: Callable[[], int | None], advice: str = "", *, final: bool = False) -> int:
    """Run a command; a signal ends it with one line on standard error and the exit status of the signal.

    Args:
        run: Function that runs the command and returns its exit status, or None for 0. Import slow modules in it.
        advice: How to resume, unless `advising` gives other advice inside ``run``.
        final: Whether the process ends with the command. A second signal then cannot change the exit status.
    """
    try:
        with stopping(final), advising(advice):
            return run() or 0
    except Stopped as stopped:
        with suppress(OSError, ValueError):  # Standard error may be closed.
            print(stopped, file=sys.stderr, flush=True)
        return stopped.status
