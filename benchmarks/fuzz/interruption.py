"""Commands that are killed, terminated and interrupted: nothing is lost, statuses are right, a rerun succeeds."""

from __future__ import annotations

import os
import random
import runpy
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import chdir, suppress
from pathlib import Path
from typing import Any

from benchmarks.fuzz.commands import COMMANDS, Command
from benchmarks.fuzz.content import content_digest
from benchmarks.fuzz.forked_child import Child, use_one_thread
from benchmarks.fuzz.outcomes import OURS, PROJECT, of_error
from labelgraph._core.early_signals import handle_early

KILL, TERMINATE, INTERRUPT = signal.SIGKILL, signal.SIGTERM, signal.SIGINT
SIGNALS = (KILL, TERMINATE, INTERRUPT)
# A process that has not come to a handler of ours yet ends by the signal itself, which a shell shows as 143 or 130.
STATUSES = {KILL: (-9,), TERMINATE: (143, -15), INTERRUPT: (130, -2)}
OVER = 300.0  # Seconds after which a command hangs.
EARLY = 1.5  # Seconds of a new process within which it is still importing.
LOST, STATUS, TRACEBACK, UNTOLD, RERUN, CHANGED, LITTER = (
    "lost", "exit status", "traceback", "no line", "rerun fails", "rerun differs", "left behind",
)  # fmt: skip
Failure = dict[str, Any]


def interrupt(name: str, moments: int, seed: int, place: Path, early: int = 0) -> dict[str, Any]:
    """Interrupt a command at random moments by each signal.

    Args:
        name: Key of ``COMMANDS``.
        moments: How many for each signal, in forks of this process, which has done all imports.
        seed: Of the moments.
        place: An empty folder to work in.
        early: How many for each signal but the first, in new processes within their first seconds.

    Returns:
        The ``command``, the ``counts`` of what came of it, and ``failures``, each with ``kind``, ``detail``, ``signal``
        and ``moment`` in seconds.
    """
    command, rng = COMMANDS[name], random.Random(f"{seed} {name}")
    place.mkdir(parents=True, exist_ok=True)
    with chdir(place):
        return {"command": name, **_interrupt(command, moments, early, rng, place)}


def _interrupt(command: Command, moments: int, early: int, rng: random.Random, place: Path) -> dict[str, Any]:
    _prepare(command, place)
    known = {"before": _look(command, place) if (place / "before").exists() else None}
    seconds = min(_alone(command, place) for _ in range(2))  # The first one reads what the system has not cached.
    known["new"], entries = _look(command, place), _entries(place)
    counts: Counter[str] = Counter()
    failures: list[Failure] = []
    points = [(each, False, rng.random() * seconds * 1.02) for each in SIGNALS for _ in range(moments)]
    points += [(each, True, rng.random() * EARLY) for each in SIGNALS[1:] for _ in range(early)]
    for number, moment, new_process in ((each, at, fresh) for each, fresh, at in points):
        for kind, detail in _one(command, place, known, entries, (number, moment, new_process), counts):
            failures.append({"kind": kind, "detail": detail[-400:], "signal": number.name,
                             "moment": round(moment, 4), "new process": new_process, "place": ""})  # fmt: skip
    return {"seconds": round(seconds, 3), "counts": dict(counts), "failures": failures}


def _alone(command: Command, place: Path) -> float:
    """Run the whole command; gives the seconds that it takes."""
    _restore(command, place, _entries(place) - {command.out})
    started = time.perf_counter()
    status, errors = _run(command, place, None)
    if status:
        raise ValueError(f"{' '.join(command.arguments)}: fails by itself: {errors[-500:]}")
    return time.perf_counter() - started


def _prepare(command: Command, place: Path) -> None:
    """Make the inputs, in a child, and keep what an earlier command left in ``before``."""

    def make(_: Any) -> str | None:
        try:
            command.prepare(place)
        except BaseException:
            return traceback.format_exc()
        return None

    with Child(make) as child:
        child.ask(None)
        if wrong := child.answer(OVER):
            raise ValueError(f"the inputs cannot be made: {wrong}")
    if command.out and (place / command.out).exists():
        _copy(place / command.out, place / "before")


def _one(
    command: Command,
    place: Path,
    known: dict[str, Any],
    entries: set[str],
    point: tuple[Any, ...],
    counts: Counter[str],
) -> Iterator[tuple[str, str]]:
    """Interrupt once; yields kind and detail of what is wrong."""
    number = point[0]
    _restore(command, place, entries)
    status, errors = _run(command, place, point)
    ended = status == 0
    counts["ended before" if ended else f"{number.name} {status}"] += 1
    yield from _wrong_end(number, status, errors, point[2])
    now = _look(command, place)
    if ended and now != known["new"]:
        yield STATUS, f"0, though the output is not the new one ({now or 'nothing'})"
    elif now not in (known["before"], known["new"]):
        yield LOST, now or "nothing is there"
    status, errors = _run(command, place, None, command.again(place))
    if status:
        yield RERUN, f"status {status}: {errors}"
    elif _look(command, place) != known["new"]:
        yield CHANGED, str(_look(command, place))
    if litter := _entries(place) - entries:
        yield LITTER, ", ".join(sorted(litter))


def _wrong_end(number: signal.Signals, status: int, errors: str, new_process: bool) -> Iterator[tuple[str, str]]:
    if status and status not in STATUSES[number]:
        yield STATUS, f"{status}: {errors}"
    # Python itself may be interrupted before it comes to a line of ours.
    ours = any(str(PROJECT) in line and str(OURS) not in line for line in errors.splitlines())
    ours = ours or "in _run_code" in errors or ("Exception ignored" in errors and not new_process)
    if "Traceback" in errors and ours:
        yield TRACEBACK, errors
    if number != KILL and status in STATUSES[number] and not new_process and not errors.strip():
        yield UNTOLD, f"status {status}, nothing on standard error"


def _run(
    command: Command, place: Path, point: tuple[Any, ...] | None, arguments: list[str] | None = None
) -> tuple[int, str]:
    """Run a command, with a signal at some moment; gives its exit status and standard error."""
    number, moment, new_process = point or (None, 0.0, False)
    given, errors = arguments or command.arguments, place / "errors.txt"
    begin = _begin_process if new_process else _begin_fork
    pid = begin(command.module, given, errors)  # A fork is ready to run the command then.
    if number is not None:
        time.sleep(moment)
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    status = _wait(pid)
    return status, errors.read_text(errors="replace")


def _wait(pid: int) -> int:
    latest = time.monotonic() + OVER
    while time.monotonic() < latest:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, KILL)
    os.waitpid(pid, 0)
    return 999


def _begin_process(module: str, arguments: list[str], errors: Path) -> int:
    with errors.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments], stdout=subprocess.DEVNULL, stderr=file,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
        ).pid  # fmt: skip


def _become_program(module: str, arguments: list[str], errors: Path) -> None:
    """Give this process the signals, streams, arguments and modules of a new ``python -m module``."""
    use_one_thread()
    signal.signal(TERMINATE, signal.SIG_DFL)
    signal.signal(INTERRUPT, signal.default_int_handler)
    if module.partition(".")[0] in ("labelgraph", "benchmarks"):  # As when these packages are imported.
        handle_early()
    sys.unraisablehook = sys.__unraisablehook__
    file, nothing = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), os.open(os.devnull, os.O_RDWR)
    for number, target in ((nothing, 0), (nothing, 1), (file, 2)):
        os.dup2(number, target)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
    sys.argv = [module, *arguments]
    for name in (module, f"{module}.__main__"):  # Which is to be run anew; packages stay.
        if not hasattr(sys.modules.get(name), "__path__"):
            sys.modules.pop(name, None)


def _begin_fork(module: str, arguments: list[str], errors: Path) -> int:
    """Run ``python -m module`` in a fork, where all imports are done; the fork ends as Python would end."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid:
        os.close(tell)
        os.read(ready, 1)
        os.close(ready)
        return pid
    status = 1
    try:
        _become_program(module, arguments, errors)
        os.write(tell, b".")
        runpy.run_module(module, run_name="__main__")
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException as error:
        traceback.print_exc()
        status = 130 if isinstance(error, KeyboardInterrupt) else 1
    finally:
        with suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _look(command: Command, place: Path) -> str | None:
    """A digest of what can be loaded; none where nothing is; what is wrong, if it cannot be loaded."""

    def look(_: Any) -> str | None:
        if not command.out or not (place / command.out).exists():
            return None
        try:
            return content_digest(command.look(place))
        except BaseException as error:
            return None if command.grows else f"{of_error(error, place)['kind']}: {type(error).__name__}: {error}"

    with Child(look) as child:
        child.ask(None)
        answer: str | None = child.answer(OVER)
    return answer


def _restore(command: Command, place: Path, entries: set[str]) -> None:
    """Put what was there before into its place, and nothing beside."""
    for name in _entries(place) - entries | ({command.out} if command.out else set()):
        _remove(place / name)
    if (place / "before").exists():
        _copy(place / "before", place / command.out)


def _entries(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()} | {"errors.txt"}


def _copy(source: Path, target: Path) -> None:
    copy: Callable[..., Any] = shutil.copytree if source.is_dir() else shutil.copy2
    copy(source, target)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
