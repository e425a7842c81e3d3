"""Signals that end a command: an exception, so that temporary files are deleted, then one line and an exit status.

SIGTERM, Ctrl-C and a closed terminal raise `Stopped` in the main thread. It is no `Exception`, which libraries catch,
and no `KeyboardInterrupt`, which Lightning turns into exit status 1: Lightning calls the handlers that it finds for
SIGTERM after its own, and lets other exceptions through.
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
GRACE = 2.0  # Seconds in which further signals are taken for the same: `timeout` and terminals send several.


class Stopped(BaseException):
    """A signal asks the process to end.

    Args:
        number: Of the signal.
        advice: How to go on, in a few words.

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
    """Raises `Stopped` once; a signal that comes later than the grace ends the process at once."""

    def __init__(self) -> None:
        self.process, self.first = os.getpid(), 0.0

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
    """Let signals raise `Stopped`; within another `stopping`, and outside of the main thread, nothing changes.

    Signals that are ignored, such as SIGHUP under ``nohup``, stay so.

    Args:
        final: Ignore the signals afterwards, as the process ends; by default the handlers before are restored.

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
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, signal.SIG_IGN if final else earlier)


@contextmanager
def advising(advice: str) -> Iterator[None]:
    """Let `Stopped` and `KeyboardInterrupt` tell how to go on, unless it is told already."""
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
        run: The command; it gives its exit status, or none for 0. Import what takes long within it.
        advice: How to go on, unless `advising` told it further inside.
        final: Whether the process ends with the command; a second signal cannot change the exit status then.
    """
    try:
        with stopping(final), advising(advice):
            return run() or 0
    except Stopped as stopped:
        with suppress(OSError, ValueError):  # Nobody may read it any more.
            print(stopped, file=sys.stderr, flush=True)
        return stopped.status
