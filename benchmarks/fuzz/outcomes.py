"""What came of a read of a damaged file, and where in the source it comes from."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

IDENTICAL, DIFFERENT, REFUSED = "identical", "different", "refused"
SILENT, FOREIGN, MESSAGE, CRASH, HANG, MEMORY, OUTSIDE = (
    "silent change", "foreign exception", "message", "crash", "hang", "memory", "outside",
)  # fmt: skip
FINE = (IDENTICAL, DIFFERENT, REFUSED)
FAILURES = (SILENT, FOREIGN, MESSAGE, CRASH, HANG, MEMORY, OUTSIDE)
CLEAN = (ValueError, OSError, ImportError)
NO_MEMORY = "can't allocate memory"  # A RuntimeError of PyTorch.
LONGEST = 2000  # Characters of a line that someone reads.
WRAPPERS = ("reading", "refusing")  # Context managers that turn errors of others into their own.
PROJECT = Path(__file__).parents[2]
OURS = Path(__file__).parent
# Where Python, its packages and the system have their own files.
SYSTEM = tuple(
    os.path.realpath(path)
    for path in {sys.prefix, sys.base_prefix, str(PROJECT), "/proc", "/sys", "/dev", "/usr", "/lib"}
)


def outcome_of(
    read: Callable[[], str], folder: Path, expected: str | None, checked: bool, named: bool
) -> dict[str, Any]:
    """Read, and tell what came of it.

    Args:
        read: Gives a digest of what was read.
        folder: In which all files are.
        expected: The digest of what was read of undamaged files.
        checked: Whether another digest is a failure.
        named: Whether the message of an error has to name a file of the folder, or the folder.

    Returns:
        ``kind``, one of ``FINE`` and ``FAILURES``; and of failures ``detail`` and the ``place`` in the source.
    """
    opened = _watch(folder.parent)
    try:
        got = read()
    except BaseException as error:
        return of_error(error, folder, named)
    finally:
        _watched.clear()
    if opened:
        return {"kind": OUTSIDE, "detail": f"opens {opened[0]}", "place": ""}
    if got == expected:
        return {"kind": IDENTICAL}
    return {"kind": SILENT, "detail": "another content is loaded", "place": ""} if checked else {"kind": DIFFERENT}


def of_end(how: str | int, trace: str) -> dict[str, Any]:
    """What came of a read whose process ended: the place is the last line of ours in the trace of `faulthandler`."""
    place = next((_short(line) for line in trace.splitlines() if _is_ours(line)), "")
    if how == HANG:
        return {"kind": HANG, "detail": "no answer in time", "place": place}
    name = signal.Signals(-int(how)).name if int(how) < 0 else f"exit {how}"
    return {"kind": CRASH, "detail": name, "place": place}


def of_error(error: BaseException, folder: Path, named: bool = True) -> dict[str, Any]:
    """What an error of a reader or writer means to the user: refused in one line, or a failure."""
    text, place = str(error), place_of(error)
    shown = f"{type(error).__name__}: {text}".replace(str(folder), "FOLDER")[:300]
    if any(isinstance(each, MemoryError) or NO_MEMORY in str(each) for each in _chain(error)):
        return {"kind": MEMORY, "detail": shown, "place": place}
    if not isinstance(error, CLEAN) or isinstance(error, UnicodeError):
        return {"kind": FOREIGN, "detail": shown, "place": place}
    names = not named or str(folder) in text or str(folder) in str(getattr(error, "filename", ""))
    lines = len(text.replace("\r", "\n").split("\n"))
    if lines > 1 or not names or len(text) > LONGEST:
        why = "no file named" if not names else f"{lines} lines" if lines > 1 else f"{len(text)} characters"
        return {"kind": MESSAGE, "detail": f"{why}: {shown}", "place": place}
    return {"kind": REFUSED}


def place_of(error: BaseException) -> str:
    """File, line and function of the last frame in the project, such as ``labelgraph/data/files.py:60 load_npz``."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith(str(PROJECT))
        and not frame.filename.startswith(str(OURS))
        and frame.name not in WRAPPERS
    ]
    return f"{Path(frames[-1].filename).relative_to(PROJECT)}:{frames[-1].lineno} {frames[-1].name}" if frames else ""


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def _is_ours(line: str) -> bool:
    return str(PROJECT) in line and str(OURS) not in line and "site-packages" not in line


def _short(line: str) -> str:
    """``File "/a/b.py", line 3 in f`` as ``b.py:3 f``."""
    name, _, rest = line.strip().removeprefix('File "').partition('", line ')
    number, _, function = rest.partition(" in ")
    return f"{Path(name).relative_to(PROJECT)}:{number} {function}"


_watched: list[tuple[str, list[str]]] = []
_hooked: list[bool] = []


def _watch(folder: Path) -> list[str]:
    """A list that fills up with files that are opened outside of a folder, and hosts that are asked for."""
    opened: list[str] = []
    _watched[:] = [(os.path.realpath(folder), opened)]
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_hook)
    return opened


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watched or event not in ("open", "socket.connect", "socket.getaddrinfo"):
        return
    folder, opened = _watched[0]
    if event != "open":
        opened.append(f"{event} {arguments}")
    elif isinstance(arguments[0], str):
        path = os.path.realpath(arguments[0])
        if not path.startswith((folder, *SYSTEM)) and Path(path).exists():
            opened.append(path)
