"""Errors of commands: one line on standard error, and an exit status."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress

FAILED, INTERRUPTED, BROKEN_PIPE = 2, 130, 141
# What brings a package that is missing.
EXTRAS = {
    "PIL": "images", "faiss": "index", "jsonargparse": "train", "lightning": "train", "matplotlib": "viz",
    "safetensors": "train", "sklearn": "viz", "torchmetrics": "train", "tqdm": "train",
}  # fmt: skip


def guarded(run: Callable[[], int | None], go_on: str) -> int:
    """Run a command and give its exit status.

    An error of the user or the system is one line on standard error; with ``LABELGRAPH_TRACEBACK`` set, it is raised.

    Args:
        run: The command; it may give an exit status of its own.
        go_on: What to do after Ctrl-C, unless the `KeyboardInterrupt` tells it.
    """
    try:
        try:
            status = run()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # Whoever read has seen enough.
        _drop_output()
        return BROKEN_PIPE
    except (ValueError, OSError, RuntimeError, ImportError, MemoryError) as error:
        if os.environ.get("LABELGRAPH_TRACEBACK"):
            raise
        print(f"error: {explain(error)}", file=sys.stderr)
        _drop_output()
        return FAILED
    except KeyboardInterrupt as interrupt:
        print(f"interrupted; {str(interrupt) or go_on}", file=sys.stderr)
        return INTERRUPTED
    return status or 0


def explain(error: Exception) -> str:
    """An error in one line, with what helps where that is known.

    Example:
        >>> from labelgraph.cli.errors import explain
        >>> explain(FileNotFoundError(2, "No such file or directory", "my-data.npz"))
        'my-data.npz: No such file or directory'
    """
    text = " ".join(str(error).split())
    if isinstance(error, ModuleNotFoundError) and (root := (error.name or "").partition(".")[0]) in EXTRAS:
        return f'{root} is not installed; pip install "labelgraph[{EXTRAS[root]}]" brings it'
    if isinstance(error, MemoryError):
        return f"not enough memory ({text or 'out of memory'})"
    if isinstance(error, OSError) and error.strerror and error.filename:
        text = f"{error.filename}: {error.strerror}"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{text}; make space and give the same command again"
    return text or type(error).__name__


def _drop_output() -> None:
    """Let nothing that cannot be written come up again when Python ends."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
