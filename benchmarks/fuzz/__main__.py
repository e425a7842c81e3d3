"""Damage files for every reader, have two writers at one place, and interrupt every command; count what comes of it.

Examples:
  python -m benchmarks.fuzz --out runs/fuzz                             # all; takes about an hour on one core
  python -m benchmarks.fuzz --out runs/fuzz --short                     # all, a few cases each, in a minute
  python -m benchmarks.fuzz --out runs/fuzz --only model train          # some readers, outputs or commands
  python -m benchmarks.fuzz --out runs/case --only model --damage repaired --case 17    # write one damaged file

Results go to fuzz.json and fuzz.md. Exit status: 0; 1 if something failed. Linux only, for it limits memory.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.fuzz.commands import COMMANDS
from benchmarks.fuzz.contention import OUTPUTS, contend
from benchmarks.fuzz.damaged_reads import BYTES, REPAIRED, read_damaged, reproduce
from benchmarks.fuzz.failure_tables import count_reads, failures_of, grouped, tables
from benchmarks.fuzz.interruption import interrupt
from benchmarks.fuzz.reader_cases import READERS
from labelgraph.cli.common import Parser, describe, guarded

PARTS = ("readers", "outputs", "commands")


@dataclass(frozen=True)
class Size:
    """How much is tried.

    Args:
        cases: Damaged files of each reader and kind of damage.
        rounds: Of two writers, for each kind of output.
        moments: Interruptions of each command by each signal.
        early: Interruptions of new processes within their first seconds, beside these.
    """

    cases: int
    rounds: int
    moments: int
    early: int


LONG, SHORT = Size(cases=300, rounds=200, moments=27, early=3), Size(cases=5, rounds=5, moments=1, early=0)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = Parser(prog="python -m benchmarks.fuzz", **describe(__doc__ or ""))
    command.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder for the results")
    command.add_argument("--seed", metavar="N", type=int, default=0, help="random seed (default: 0)")
    command.add_argument("--short", action="store_true", help="try a few cases each")
    for name in ("cases", "rounds", "moments", "early"):
        command.add_argument(f"--{name}", metavar="N", type=int, help=f"(default: {getattr(LONG, name)})")
    command.add_argument("--parts", choices=PARTS, nargs="+", default=list(PARTS), help="(default: all)")
    command.add_argument("--only", metavar="NAME", nargs="+", help="readers, outputs and commands, among: "
                         + ", ".join(dict.fromkeys([*READERS, *OUTPUTS, *COMMANDS])))  # fmt: skip
    command.add_argument("--damage", choices=[BYTES, REPAIRED], default=BYTES, help="of the case to write")
    command.add_argument("--case", metavar="N", type=int, help="write the files of this case, and read nothing")
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit status."""
    command = parser()
    options = command.parse_args(arguments)
    known = {*READERS, *OUTPUTS, *COMMANDS}
    if unknown := sorted({*(options.only or ())} - known):
        command.error(f"'--only' must be among {', '.join(sorted(known))} (got {unknown[0]!r})")
    return guarded(lambda: _fuzz(command, options), "run the command again to start over")


def _fuzz(command: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # A fork has no threads of its parent.
    if options.case is not None:
        return _write_case(command, options, out)
    preset = SHORT if options.short else LONG
    size = Size(**{name: getattr(preset, name) if (given := getattr(options, name)) is None else given
                   for name in vars(preset)})  # fmt: skip
    names = set(options.only or [*READERS, *OUTPUTS, *COMMANDS])
    content = fuzz(size, options.seed, names, options.parts, out)
    return int(bool(content["failures"]))


def fuzz(
    size: Size, seed: int, names: set[str], parts: Sequence[str] = PARTS, out: Path | None = None
) -> dict[str, Any]:
    """Try everything of some names; what is known is written after each of them.

    Args:
        size: How much.
        seed: Of all that is drawn.
        names: Among the readers, outputs and commands.
        parts: Among ``PARTS``.
        out: A folder for ``fuzz.json`` and ``fuzz.md``, if any.

    Returns:
        Counts by part and name, and ``failures`` in groups.
    """
    content: dict[str, Any] = {"seed": seed, "size": vars(size), **{part: {} for part in PARTS}, "failures": []}
    steps: dict[str, tuple[dict[str, Any], Callable[[str, Path], list[dict[str, Any]]]]] = {
        "readers": (READERS, lambda name, place: _reader(name, size, seed, place, content)),
        "outputs": (OUTPUTS, lambda name, place: _output(name, size, place, content)),
        "commands": (COMMANDS, lambda name, place: _command(name, size, seed, place, content)),
    }
    for part in parts:
        known, step = steps[part]
        for name in (each for each in known if each in names):
            with tempfile.TemporaryDirectory(prefix="labelgraph-fuzz-") as place:
                failures = step(name, Path(place) / name)
            content["failures"] += grouped(name, failures)
            print(f"{part}, seed {seed}: {name}: {len(failures)} failures", flush=True)
            if out is not None:
                (out / "fuzz.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
                (out / "fuzz.md").write_text(tables(content), encoding="utf-8")
    return content


def _reader(name: str, size: Size, seed: int, place: Path, content: dict[str, Any]) -> list[dict[str, Any]]:
    outcomes = list(read_damaged(name, size.cases, seed, place))
    content["readers"][name] = count_reads(outcomes)
    return failures_of(outcomes)


def _output(name: str, size: Size, place: Path, content: dict[str, Any]) -> list[dict[str, Any]]:
    content["outputs"][name] = made = contend(name, size.rounds, place)
    failures: list[dict[str, Any]] = made["failures"]
    return failures


def _command(name: str, size: Size, seed: int, place: Path, content: dict[str, Any]) -> list[dict[str, Any]]:
    content["commands"][name] = made = interrupt(name, size.moments, seed, place, size.early)
    failures: list[dict[str, Any]] = made["failures"]
    return failures


def _write_case(command: argparse.ArgumentParser, options: argparse.Namespace, out: Path) -> int:
    if len(options.only or ()) != 1 or options.only[0] not in READERS:
        command.error(f"'--case' needs --only with one of {', '.join(READERS)} (got {options.only})")
    for name in ("good", "case"):
        shutil.rmtree(out / name, ignore_errors=True)
    file = reproduce(options.only[0], options.damage, options.case, options.seed, out)
    print(f"undamaged: {out / 'good'}\ndamaged: {out / 'case' / file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
