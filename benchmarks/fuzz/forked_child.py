"""A forked process that answers requests one by one, with limits on time and memory: no import is done twice."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HANG = "hang"
ROOM = 3 << 30  # Bytes of address space beyond those that the imports take; Arrow alone reserves a GiB at a time.


class Ended(Exception):
    """A child that ended before it answered.

    Args:
        how: ``hang``, or the exit status; a negative one is the number of a signal.
    """

    def __init__(self, how: str | int) -> None:
        super().__init__(how)
        self.how = how


class Child:
    """A fork of this process.

    Args:
        handle: Gives the answer to a request, both plain values that JSON can hold.
        room: Bytes of memory that it may take beyond those of this process; any number without.

    Example:
        >>> from benchmarks.fuzz.forked_child import Child
        >>> with Child(lambda number: number + 1) as child:
        ...     child.ask(1)
        ...     child.answer(seconds=10)
        2
    """

    def __init__(self, handle: Callable[[Any], Any], room: int | None = None) -> None:
        requests, self._to = os.pipe()
        self._from, answers = os.pipe()
        self._held = b""
        self.pid = os.fork()
        if not self.pid:
            os.close(self._to)
            os.close(self._from)
            _serve(handle, requests, answers, room)
        os.close(requests)
        os.close(answers)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def ask(self, request: Any) -> None:
        """Send a request; a child that has ended is told of by `answer`."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._to, json.dumps(request).encode() + b"\n")

    def has_answer(self, seconds: float = 0) -> bool:
        """Whether an answer, or the end of the child, is there within some seconds."""
        return b"\n" in self._held or bool(select.select([self._from], [], [], max(seconds, 0))[0])

    def answer(self, seconds: float) -> Any:
        """Wait for the answer.

        Raises:
            Ended: If the child ends instead, or does not answer within ``seconds`` and is killed.
        """
        latest = time.monotonic() + seconds
        while b"\n" not in self._held:
            if not self.has_answer(latest - time.monotonic()):
                self.end()
                raise Ended(HANG)
            part = os.read(self._from, 1 << 16)
            if not part:
                raise Ended(self.end())
            self._held += part
        line, _, self._held = self._held.partition(b"\n")
        return json.loads(line)

    def end(self) -> int:
        """Kill the child if it is alive; gives its exit status."""
        if not self.pid:
            return 0
        time.sleep(0)
        done, status = os.waitpid(self.pid, os.WNOHANG)
        if not done and not self._closed():
            os.kill(self.pid, signal.SIGKILL)
        if not done:
            status = os.waitpid(self.pid, 0)[1]
        self.pid = 0
        os.close(self._to)
        os.close(self._from)
        return os.waitstatus_to_exitcode(status)

    def _closed(self) -> bool:
        """Whether the child is ending by itself."""
        return bool(select.select([self._from], [], [], 0)[0]) and not os.read(self._from, 1)


def limit_memory(room: int) -> None:
    """Let this process take so many bytes more than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + room
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def use_one_thread() -> None:
    """Let torch compute in the calling thread: a fork has no threads of its parent, and OpenMP would wait for them."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def be_quiet() -> None:
    """Let nothing of this process be seen, whoever prints it, and no core be written."""
    faulthandler.disable()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _serve(handle: Callable[[Any], Any], requests: int, answers: int, room: int | None) -> None:
    status = 1
    try:
        use_one_thread()
        be_quiet()
        if room is not None:
            limit_memory(room)
        with os.fdopen(requests, "rb") as lines:
            for line in lines:
                os.write(answers, json.dumps(handle(json.loads(line))).encode() + b"\n")
        status = 0
    finally:
        os._exit(status)
