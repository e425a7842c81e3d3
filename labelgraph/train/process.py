"""The process of a training: peak memory and interruption."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch

from labelgraph._core.signals import Stopped, stopping

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def reset_peak_memory(device: torch.device) -> None:
    """Forget what was held before; does nothing where the system cannot."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif CLEAR.exists():
        CLEAR.write_text("5", encoding="ascii")  # Linux then sets its high-water mark to what is held now.


def peak_memory(device: torch.device) -> int | None:
    """Bytes held at most since `reset_peak_memory`.

    On a GPU what torch allocated there; otherwise the memory of the whole process, with libraries and
    data, which Linux tells; none elsewhere.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return process_memory("VmHWM") if STATUS.exists() else None


def process_memory(entry: str) -> int:
    """A figure of this process's memory in bytes, as Linux keeps it: ``VmRSS`` is held now, ``VmHWM`` at most."""
    lines = STATUS.read_text(encoding="ascii").splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(entry + ":")).split()[1])


@contextmanager
def interruptible() -> Iterator[None]:
    """Let signals end a training as they end any program, once Lightning has tidied up.

    In a command of this library `Stopped` goes through to it. Elsewhere Ctrl-C raises `KeyboardInterrupt`, and SIGTERM
    ends the process with the status of the signal. Lightning alone would exit with status 1 and 0.
    """
    if threading.current_thread() is not threading.main_thread():  # Where no signal comes, and none can be set.
        yield
        return
    interrupt, terminate = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    try:
        with stopping() if terminate is signal.SIG_DFL else nullcontext():
            yield
    except Stopped as stopped:
        if terminate is signal.SIG_DFL:
            if stopped.number == signal.SIGINT:
                raise KeyboardInterrupt from None
            signal.raise_signal(stopped.number)
        raise
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, interrupt)
