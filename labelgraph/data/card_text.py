"""A data card as text to read."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

WIDTH = 100


def card_text(card: Mapping[str, Any]) -> str:
    """Lay out what `DataCard.as_dict` gives, in lines short enough to read."""
    labels = card["labels"]
    head = [f"{card['items']:,} items, {len(labels['count'])} labels"]
    sides = [f"  {name:6} {_side(card[name])}" for name in ("image", "text")]
    parts = [_labels("all", labels), *(_labels(name, facts) for name, facts in card["splits"].items())]
    header = ("", "items", "labels an item", "most", "without", "never occurring", "pairs together")
    return "\n".join(
        [
            *head,
            "\nFeatures",
            *sides,
            "\nLabels",
            *_table([header, *parts]),
            "\nItems of each label",
            *_wrapped(f"{name} {count:,}" for name, count in labels["count"].items()),
            "\nThe same features in several items",
            *_duplicates(card),
            "\nWarnings",
            *([line for warning in card["warnings"] for line in _bullet(warning)] or ["  none"]),
        ]
    )


def _side(side: Mapping[str, Any]) -> str:
    parts = [
        f"{side['channels']:,} features, {'sparse' if side['sparse'] else 'dense'}",
        f"{side['zeros']:.1%} zeros",
        f"from {side['lowest']:.4g} to {side['highest']:.4g}",
        f"{side['constant']:,} constant",
        f"{side['zero_rows']:,} items all 0",
        f"{side['missing']:,} missing",
    ]
    return ", ".join(parts)


def _labels(name: str, facts: Mapping[str, Any]) -> tuple[str, ...]:
    mean, median, most = facts["an_item"]
    return (
        name,
        f"{facts['items']:,}",
        f"{mean:.2f} (median {median:g})",
        str(most),
        f"{facts['without']:,}",
        str(len(facts["never"])),
        f"{facts['pairs']:.1%}",
    )


def _duplicates(card: Mapping[str, Any]) -> list[str]:
    kinds = ("image", "text", "both")
    rows = [("", *kinds, "shared items"), ("of an earlier item", *(f"{card['duplicates'][k]:,}" for k in kinds), "")]
    for pair, found in card["shared"].items():
        one, other = pair.split(", ")
        rows.append((f"in {other}, of {one}", *(f"{found[kind]:,}" for kind in (*kinds, "items"))))
    return list(_table(rows))


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(others, widths[1:], strict=True))]
        yield "  " + "  ".join(cells).rstrip()


def _wrapped(words: Iterable[str]) -> list[str]:
    # No line ends between a label and its count.
    joined = ", ".join(word.replace(" ", "\0") for word in words)
    return [
        line.replace("\0", " ") for line in textwrap.wrap(joined, WIDTH, initial_indent="  ", subsequent_indent="  ")
    ]


def _bullet(sentence: str) -> list[str]:
    return textwrap.wrap(sentence, WIDTH, initial_indent="  - ", subsequent_indent="    ")
