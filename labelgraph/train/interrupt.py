"""Ctrl-C in a training."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C through as `KeyboardInterrupt`.

    Lightning turns it into `SystemExit`, and ignores it from then on.
    """
    if threading.current_thread() is not threading.main_thread():  # Where no signal comes, and none can be set.
        yield
        return
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, handler)
