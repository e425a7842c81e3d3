"""Two writers and a reader at one place: whatever is read, then and in the end, must be one version, whole."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.fuzz.content import content_digest
from benchmarks.fuzz.forked_child import Child, Ended
from benchmarks.fuzz.outcomes import FAILURES, REFUSED, of_end, of_error, place_of
from benchmarks.fuzz.public_names import (
    Searcher,
    labelgraph_command,
    load_folder,
    load_method,
    load_npz,
    read_results,
    run_command,
    save_folder,
    save_npz,
)
from benchmarks.fuzz.reader_cases import model_content, searcher_content
from benchmarks.fuzz.sample_files import SMALL, method, pairs, run_arguments

WHOLE, MIXED, UNREADABLE, DESTROYED, LEFT = "whole", "mixed", "unreadable meanwhile", "destroyed", "left behind"
NOT_YET, FAILS, WRITERS = "not there yet", "writer fails", (0, 1)
SECONDS = 120.0
SIZE = 300
SPARE_FILES = 2  # Such as locks, that a writer may leave.
Outcome = dict[str, Any]


@dataclass(frozen=True)
class Output:
    """A kind of output.

    Args:
        write: Writes version 0 or 1 into a folder.
        read: Gives what is read there.
        fresh: Whether writers want a new place each time, so that nothing can be read at first.
        refuses: Whether a writer may refuse, in one line, to work where another one does.
        cost: How many of the rounds are one of its own; writers that train are slow.
    """

    write: Callable[[Path, int], None]
    read: Callable[[Path], Any]
    fresh: bool = False
    refuses: bool = False
    cost: int = 1


def _command(main: Callable[[list[str]], int], place: Path, arguments: list[str]) -> None:
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        status = main(arguments)
    if status:
        raise OSError(f"{place}: exit status {status}: {errors.getvalue()[-200:].strip()}")


def _train(place: Path, version: int) -> None:
    if not (place / "data.npz").exists():
        save_npz(pairs(), place / "data.npz")
    _command(labelgraph_command, place, ["train", str(place / "data.npz"), "--quiet", "--seed", str(version), *SMALL,
                                  "--out", str(place / "model")])  # fmt: skip


def _run(place: Path, version: int) -> None:
    data = place.with_name("data.npz")
    if not data.exists():
        save_npz(pairs(), data)
    arguments = run_arguments(place)
    arguments[1], arguments[3] = str(data), str(version)
    _command(run_command, place, arguments)


def _read_run(place: Path) -> Any:
    run = place / "run"
    results = read_results(run / "metrics.json")
    (seed,) = {result.seed for result in results}
    return [results, model_content(load_method(run / f"seed-{seed}" / "model")), (run / "config.yaml").read_text()]


OUTPUTS: dict[str, Output] = {
    "data-npz": Output(lambda p, v: save_npz(pairs(SIZE, v), p / "data.npz"), lambda p: load_npz(p / "data.npz")),
    "data-folder": Output(lambda p, v: save_folder(pairs(SIZE, v), p / "own"), lambda p: load_folder(p / "own")),
    "model": Output(lambda p, v: method(pairs(), v).save_pretrained(p / "model"),
                    lambda p: model_content(load_method(p / "model"))),
    "searcher": Output(lambda p, v: Searcher(method(pairs(), v)).fit(pairs()).save(p / "index"),
                       lambda p: searcher_content(Searcher.load(p / "index"))),
    "training": Output(_train, lambda p: model_content(load_method(p / "model")), refuses=True),
    "run-folder": Output(_run, _read_run, fresh=True, refuses=True, cost=4),
}  # fmt: skip


def contend(name: str, rounds: int, place: Path) -> Outcome:
    """Have two processes write at once while a third reads, round by round.

    Args:
        name: Key of ``OUTPUTS``; costly ones have fewer rounds.
        rounds: How many.
        place: An empty folder to work in.

    Returns:
        ``rounds``; the ``counts`` of what came of reads and writes; and ``failures``, each with ``kind``, ``detail``
        and ``place``.
    """
    contest = _Contest(OUTPUTS[name], place)
    count = max(rounds // OUTPUTS[name].cost, 1)
    for number in range(count):
        contest.round(number)
    contest.end()
    return {"output": name, "rounds": count, "counts": dict(contest.counts), "failures": contest.failures}


class _Contest:
    """Three processes at one place, and what came of their work."""

    def __init__(self, output: Output, place: Path) -> None:
        self.output, self.shared = output, place / "shared"
        self.known, self.files = _alone(output, place)
        self.counts: Counter[str] = Counter()
        self.failures: list[Outcome] = []
        self._children: dict[Any, Child] = {who: Child(_handler(output)) for who in ("reader", *WRITERS)}

    def end(self) -> None:
        """End the processes."""
        for child in self._children.values():
            child.end()

    def round(self, number: int) -> None:
        """Write twice at once, read meanwhile and afterwards; after a failure the next round begins anew."""
        before = len(self.failures)
        self._begin()
        for writer in WRITERS:
            self._children[writer].ask([str(self.shared), writer])
        while not all(self._children[writer].has_answer() for writer in WRITERS):
            self._look(self._answer("reader", [str(self.shared), None]))
        for writer in WRITERS:
            self._judge(self._answer(writer))
        self._final(self._answer("reader", [str(self.shared), None]))
        left = len(list(self.shared.rglob("*")))
        if len(self.failures) == before and left > self.files + SPARE_FILES:
            self.failures.append({"kind": LEFT, "detail": f"{left} files, not {self.files}", "place": ""})
        if len(self.failures) > before:
            shutil.rmtree(self.shared, ignore_errors=True)
            self.failures[before:] = [{**failure, "round": number} for failure in self.failures[before:]]

    def _begin(self) -> None:
        """Have version 0 in the place, or nothing."""
        if self.output.fresh or not self.shared.exists():
            shutil.rmtree(self.shared, ignore_errors=True)
            self.shared.mkdir()
            if not self.output.fresh:
                self._answer(0, [str(self.shared), 0])

    def _answer(self, who: Any, request: list[Any] | None = None) -> Outcome:
        """The answer of a process, to an earlier request or this one; one that ended is begun anew."""
        if request is not None:
            self._children[who].ask(request)
        try:
            answer: Outcome = self._children[who].answer(SECONDS)
        except Ended as end:
            self._children[who] = Child(_handler(self.output))
            return of_end(end.how, "")
        return answer

    def _judge(self, answer: Outcome) -> None:
        """Judge a write."""
        kind = FAILS if answer["kind"] == REFUSED and not self.output.refuses else answer["kind"]
        self._count(kind if kind == FAILS else f"writer {kind}", {**answer, "kind": kind}, kind in (FAILS, *FAILURES))

    def _look(self, answer: Outcome) -> None:
        """Judge a read while others write; what a new folder holds on its way need not be whole."""
        kind = answer["kind"]
        if kind == WHOLE and answer["digest"] not in self.known:
            kind = MIXED
        elif kind == REFUSED:
            kind = NOT_YET if self.output.fresh else UNREADABLE
        failed = kind == MIXED or (kind not in (WHOLE, NOT_YET) and not self.output.fresh)
        self._count(f"read {kind}", {**answer, "kind": kind}, failed)

    def _final(self, answer: Outcome) -> None:
        """Judge what is there once both have written."""
        whole = answer["kind"] == WHOLE and answer["digest"] in self.known
        kind = WHOLE if whole else MIXED if answer["kind"] == WHOLE else DESTROYED
        self._count(f"in the end {kind}", {**answer, "kind": f"{kind} in the end"}, not whole)

    def _count(self, name: str, outcome: Outcome, failed: bool) -> None:
        self.counts[name] += 1
        if failed:
            detail = outcome.get("error") or outcome.get("detail", "another content")
            place = outcome.get("place", "")
            self.failures.append({"kind": outcome["kind"], "detail": detail, "place": place})


def _alone(output: Output, place: Path) -> tuple[set[str], int]:
    """Digests of both versions, each written alone, and how many files one leaves."""
    known = set()
    for version in WRITERS:
        folder = place / f"alone{version}"
        folder.mkdir(parents=True)
        with Child(_handler(output)) as child:
            for request in ([str(folder), version], [str(folder), None]):
                child.ask(request)
                answer = child.answer(SECONDS)
        if answer["kind"] != WHOLE:
            raise ValueError(f"cannot be written and read alone: {answer}")
        known.add(answer["digest"])
    return known, len(list(folder.rglob("*")))


def _handler(output: Output) -> Callable[[Any], Outcome]:
    """Reads of a place, or writes a version there."""

    def handle(request: list[Any]) -> Outcome:
        place, version = Path(request[0]), request[1]
        try:
            if version is None:
                return {"kind": WHOLE, "digest": content_digest(output.read(place))}
            output.write(place, version)
        except BaseException as error:
            shown = f"{type(error).__name__}: {error}".replace(str(place), "PLACE")
            return {"place": place_of(error), **of_error(error, place), "error": shown[:200]}
        return {"kind": "done"}

    return handle
