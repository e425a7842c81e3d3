"""Peak memory and interruption of the process that trains."""

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
    """Reset the measurement of peak memory. Do nothing if the system does not support it."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif CLEAR.exists():
        CLEAR.write_text("5", encoding="ascii")  # Linux then sets the peak to the current memory.


def peak_memory(device: torch.device) -> int | None:
    """Return the peak memory in bytes since `reset_peak_memory`.

    On a GPU, this is the memory that torch allocated on the GPU. Otherwise, it is the memory of the whole process on
    Linux, with libraries and data, and ``None`` on other systems.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return process_memory("VmHWM") if STATUS.exists() else None


def process_memory(entry: str) -> int:
    """Read the memory of this process in bytes from Linux: ``VmRSS`` is the current memory, ``VmHWM`` the peak."""
    lines = STATUS.read_text(encoding="ascii").splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(entry + ":")).split()[1])


@contextmanager
def interruptible() -> Iterator[None]:
    """Let signals end a training as they end other programs, after Lightning has cleaned up.

    In a command of this library, `Stopped` reaches the command. In other programs, Ctrl-C raises `KeyboardInterrupt`,
    and SIGTERM ends the process with the status of the signal. Lightning alone would exit with status 1 on Ctrl-C and
    with status 0 on SIGTERM.
    """
    if (
        threading.current_thread() is not threading.main_thread()
    ):  # Only the main thread receives signals and can set handlers.
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
