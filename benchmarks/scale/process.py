"""A command as a process of its own, timed, with the memory it held."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

INTERVAL = 0.02  # Seconds between two looks at a process's memory.
MEMORY = ("VmHWM", "RssAnon", "RssFile", "RssShmem")


@dataclass(frozen=True)
class Finished:
    """What a process took.

    Args:
        seconds: From its start to its end, imports included.
        peak_bytes: Most memory held at a time, mapped pages of files included: the kernel's own mark, which it keeps
            between two looks.
        anonymous_bytes: Most memory of its own, which cannot be dropped for others, as it was seen every 20 ms.
        mapped_bytes: Most pages of mapped files, seen in the same way; the kernel drops these when memory is short.
        output: Its standard output.
    """

    seconds: float
    peak_bytes: int
    anonymous_bytes: int
    mapped_bytes: int
    output: str


def run(command: Sequence[str], environment: Mapping[str, str]) -> Finished:
    """Run a command to its end, and watch its memory; needs Linux.

    Raises:
        RuntimeError: If it fails; the message has what it said last.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors, env={**os.environ, **environment})
        most = _watch(process)
        seconds = time.perf_counter() - started
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)} failed with {process.returncode}: {errors.read()[-2000:]}")
        return Finished(seconds, most["VmHWM"], most["RssAnon"] + most["RssShmem"], most["RssFile"], output.read())


def _watch(process: subprocess.Popen[bytes]) -> dict[str, int]:
    """Wait for a process; gives the most memory of each kind.

    What the kernel tells of an ended process counts the memory of the one that began it: it is looked at while it runs.
    """
    most = dict.fromkeys(MEMORY, 0)
    while process.poll() is None:
        for kind, held in _memory(process.pid).items():
            most[kind] = max(most[kind], held)
        time.sleep(INTERVAL)
    return most


def _memory(pid: int) -> dict[str, int]:
    """Bytes by kind; nothing of a process that has just ended."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    entries = (line.partition(":") for line in lines)
    return {kind: 1024 * int(value.split()[0]) for kind, _, value in entries if kind in MEMORY}
