"""Reads of damaged files: each reader in a child, case by case, and what came of each."""

from __future__ import annotations

import faulthandler
import random
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.fuzz.byte_mutations import damaged
from benchmarks.fuzz.checksums import check_own_checksums, digests, mutate_structure, repair
from benchmarks.fuzz.content import content_digest
from benchmarks.fuzz.forked_child import ROOM, Child, Ended
from benchmarks.fuzz.outcomes import of_end, outcome_of
from benchmarks.fuzz.reader_cases import READERS, Reader

BYTES, REPAIRED = "bytes", "repaired"
SECONDS = 10.0
SLOWEST_BUILD = 120.0
TRIES = 20
MISSING = 0.02  # Share of the cases in which the file is deleted.


def damage(reader: str, kind: str, number: int, seed: int, folder: Path) -> str:
    """Damage one file of a reader's input.

    Args:
        reader: Key of ``READERS``.
        kind: ``bytes``, anything to the plain bytes; ``repaired``, to the structure, with right checksums.
        number: Of the case.
        seed: Of all cases.
        folder: With a copy of the undamaged files.

    Returns:
        The path of the file below the folder.
    """
    rng = random.Random(f"{seed} {reader} {kind} {number}")
    before = digests(folder)
    path = rng.choice(sorted(each for each in folder.glob(READERS[reader].files) if each.is_file()))
    content = path.read_bytes()
    if kind == BYTES and rng.random() < MISSING:
        path.unlink()
    elif kind == BYTES:
        path.write_bytes(damaged(content, rng))
    else:
        _mutate(path, content, rng)
        repair(folder, before)
    return path.relative_to(folder).as_posix()


def _mutate(path: Path, content: bytes, rng: random.Random) -> None:
    """Change the structure; some changes are none, or nothing that the writer of the format can write."""
    for _ in range(TRIES):
        try:
            mutate_structure(path, rng)
        except Exception:  # Of any writer, about what it was given.
            path.write_bytes(content)
        if path.read_bytes() != content:
            return
    path.write_bytes(damaged(content, rng))


def read_damaged(name: str, count: int, seed: int, place: Path, seconds: float = SECONDS) -> Iterator[dict[str, Any]]:
    """Read damaged files of a reader.

    Args:
        name: Key of ``READERS``.
        count: Cases of each kind.
        seed: Of the damage.
        place: An empty folder to work in.
        seconds: For one read.

    Yields:
        An outcome a case, with the ``reader``, ``damage``, ``case`` and ``file``.

    Raises:
        ValueError: If the undamaged files cannot be made or read.
    """
    cases = [(kind, number) for kind in (BYTES, REPAIRED) for number in range(count)]
    _build(name, place)
    child = None
    for kind, number in cases:
        child = child or _reading_child(name, seed, place, seconds)
        child.ask([kind, number])
        try:
            outcome = child.answer(seconds)
        except Ended as end:
            outcome = of_end(end.how, (place / "trace.txt").read_text(errors="replace"))
            outcome["file"] = damage_copy(name, kind, number, seed, place)
            child = None
        if "unreadable" in outcome:
            raise ValueError(f"{name}: the undamaged files cannot be read: {outcome['unreadable']}")
        yield {"reader": name, "damage": kind, "case": number, **outcome}
    if child is not None:
        child.end()


def damage_copy(name: str, kind: str, number: int, seed: int, place: Path) -> str:
    """Damage a copy of the undamaged files, in ``place / "case"``; gives the damaged file."""
    shutil.rmtree(place / "case", ignore_errors=True)
    shutil.copytree(place / "good", place / "case")
    return damage(name, kind, number, seed, place / "case")


def reproduce(name: str, kind: str, number: int, seed: int, place: Path) -> str:
    """Write the files of one case into ``place / "case"``; gives the damaged file."""
    _build(name, place)
    return damage_copy(name, kind, number, seed, place)


def _build(name: str, place: Path) -> None:
    """Make the undamaged files, in a child: libraries that start threads must not do so here."""

    def build(_: Any) -> str | None:
        try:
            READERS[name].build(place / "good")
            check_own_checksums(place / "good")
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return None

    (place / "good").mkdir(parents=True)
    with Child(build) as child:
        child.ask(None)
        if wrong := child.answer(SLOWEST_BUILD):
            raise ValueError(f"{name}: the undamaged files cannot be made: {wrong}")


def _reading_child(name: str, seed: int, place: Path, seconds: float) -> Child:
    """A child that reads case by case, once it has read the undamaged files."""
    reader, trace = READERS[name], (place / "trace.txt").open("w")
    known: list[str] = []

    def handle(case: list[Any]) -> dict[str, Any]:
        warnings.simplefilter("ignore")
        if not known:
            shutil.rmtree(place / "case", ignore_errors=True)
            shutil.copytree(place / "good", place / "case")
            try:
                known.append(_read(reader, place / "case"))
            except BaseException as error:
                return {"unreadable": f"{type(error).__name__}: {error}"}
            faulthandler.enable(trace)
        kind, number = case
        file = damage_copy(name, kind, number, seed, place)
        faulthandler.dump_traceback_later(0.9 * seconds, file=trace)
        checked = reader.checksums and kind == BYTES
        outcome = outcome_of(lambda: _read(reader, place / "case"), place / "case", known[0], checked, reader.named)
        faulthandler.cancel_dump_traceback_later()
        return {**outcome, "file": file}

    child = Child(handle, ROOM)
    trace.close()
    return child


def _read(reader: Reader, folder: Path) -> str:
    return content_digest(reader.read(folder))
