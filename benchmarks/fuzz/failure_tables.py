"""The counts of the fuzz tests, as JSON and as tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.fuzz.outcomes import FAILURES, FINE
from benchmarks.fuzz.public_names import markdown_table

ALIKE = 24  # Characters that failures of one kind from one place share, numbers apart.
SHOWN = 110  # Characters of a detail in a table.
Outcome = Mapping[str, Any]


def count_reads(outcomes: Sequence[Outcome]) -> dict[str, dict[str, int]]:
    """How often each kind of outcome came, by kind of damage."""
    counts: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        counts.setdefault(outcome["damage"], Counter())[outcome["kind"]] += 1
    return {damage: dict(count) for damage, count in counts.items()}


def failures_of(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """The outcomes that are failures."""
    return [dict(outcome) for outcome in outcomes if outcome["kind"] in FAILURES]


def grouped(what: str, failures: Iterable[Outcome]) -> list[dict[str, Any]]:
    """Failures of one kind from one place in the source together, the most frequent ones first.

    Args:
        what: Reader, output or command.
        failures: Of it.

    Returns:
        Each group with ``what``, ``kind``, ``count``, ``place``, ``detail`` of the first, and ``first``, how to
        reproduce it.
    """
    groups: dict[tuple[str, ...], list[Outcome]] = {}
    for failure in failures:
        error = re.sub(r"\d+", "N", failure["detail"])[:ALIKE]
        groups.setdefault((failure["kind"], failure["place"], error), []).append(failure)
    rows = [
        {"what": what, "kind": kind, "count": len(group), "place": place, "detail": group[0]["detail"],
         "first": _first(group[0])}
        for (kind, place, _), group in groups.items()
    ]  # fmt: skip
    return sorted(rows, key=lambda row: -row["count"])


def _first(failure: Outcome) -> str:
    """How to reproduce a failure."""
    if "case" in failure:
        return f"--damage {failure['damage']} --case {failure['case']} ({failure['file']})"
    if "signal" in failure:
        fresh = " of a new process" if failure["new process"] else ""
        return f"{failure['signal']} at {failure['moment']} s{fresh}"
    return f"round {failure['round']}"


def tables(content: Mapping[str, Any]) -> str:
    """All counts and groups of failures in Markdown."""
    parts = [f"# Fuzz tests\n\nSeed {content['seed']}. {len(content['failures'])} kinds of failures."]
    if content["readers"]:
        parts.append(_readers(content["readers"]))
    if content["outputs"]:
        rows = [[name, each["rounds"], _listed(each["counts"]), len(each["failures"])]
                for name, each in content["outputs"].items()]  # fmt: skip
        parts.append("## Two writers and a reader\n\n" + _table(["output", "rounds", "counts", "failures"], rows))
    if content["commands"]:
        rows = [[name, f"{each['seconds']:.2f} s", _listed(each["counts"]), len(each["failures"])]
                for name, each in content["commands"].items()]  # fmt: skip
        parts.append("## Interrupted commands\n\n" + _table(["command", "alone", "ends", "failures"], rows))
    rows = [[row["what"], row["kind"], row["count"], row["place"] or "-", row["detail"], row["first"]]
            for row in content["failures"]]  # fmt: skip
    heads = ["what", "kind", "count", "place", "detail of the first", "the first"]
    parts.append("## Failures\n\n" + (_table(heads, rows) if rows else "None."))
    return "\n\n".join(parts) + "\n"


def _readers(readers: Mapping[str, Mapping[str, Mapping[str, int]]]) -> str:
    kinds = [*FINE, *FAILURES]
    rows = [
        [name, damage, *(counts.get(kind, 0) for kind in kinds)]
        for name, by_damage in readers.items()
        for damage, counts in by_damage.items()
    ]
    return "## Damaged files\n\n" + _table(["reader", "damage", *kinds], rows)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in sorted(counts.items()))


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    return markdown_table(list(heads), [[_plain(value) for value in row] for row in rows])


def _plain(value: Any) -> str:
    """A value for a cell: one line, no bar, not too long unless it is a list of counts."""
    text = " ".join(str(value).split()).replace("|", "/")
    return text if len(text) <= SHOWN or ": " in text[:30] else f"{text[:SHOWN]}..."
