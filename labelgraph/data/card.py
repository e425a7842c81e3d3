"""Data cards: statistics of a data set, and warnings of duplicates and leaks between splits."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from labelgraph._core.array_kinds import as_sparse
from labelgraph.data.card_facts import LabelFacts, SideFacts, copies, groups, label_facts, row_hashes, side_facts
from labelgraph.data.label_counts import COUNT_BINS, count_bins
from labelgraph.data.pairs import CrossModalData

# Pairs of a split for training or selection and a split for evaluation.
PAIRS = (
    ("train", "validation"),
    ("train", "test"),
    ("train", "query"),
    ("validation", "test"),
    ("validation", "query"),
)
KINDS = ("image", "text", "both")
MOST_NAMES = 20  # Longest list of labels in a warning.
MOST_COUNTS, SHOWN = 1024, 50  # Of more labels, the text has the counts of so many at each end.


@dataclass(frozen=True)
class DataCard:
    """Statistics and warnings of a data set, from `data_card`.

    Args:
        items: Number of items.
        image: Statistics of the image features.
        text: Statistics of the text features.
        labels: Statistics of the labels of all items.
        splits: Statistics of the labels of each split.
        duplicates: Number of items with the same features as an earlier item, by kind: image, text, or both.
        shared: Number of items of the second split with the same features as an item of the first split, by
            ``"first, second"`` and by kind; ``items`` counts the items in both splits.
        leaks: Sentences on items that are used both for training and for evaluation.
        warnings: All warnings, the leaks first.
    """

    items: int
    image: SideFacts
    text: SideFacts
    labels: LabelFacts
    splits: dict[str, LabelFacts]
    duplicates: dict[str, int]
    shared: dict[str, dict[str, int]]
    leaks: tuple[str, ...]
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The card as plain values for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return card_text(self.as_dict())


def data_card(data: CrossModalData) -> DataCard:
    """Compute statistics of a data set, and find duplicates and leaks between splits.

    Features are read block by block. Duplicates have exactly the same float32 values, compared by a 128-bit hash of
    each row. Rows that are all 0 or missing are not duplicates. An image or a pair that is in a training split and
    in an evaluation split is a leak. A text in both is only a warning, because short texts agree by chance. A
    `CrossModalData` has no values that are not finite; the readers of files report them.

    Example:
        >>> import torch
        >>> from labelgraph.data import CrossModalData, data_card
        >>> image = torch.tensor([[1., 2.], [3., 4.], [1., 2.]])
        >>> data = CrossModalData(image, torch.eye(3), torch.ones(3, 1), splits={"train": [0, 1], "test": [2]})
        >>> data_card(data).leaks
        ("1 of 1 items of 'test' have the same image features as an item of 'train', 0 also the same text",)
    """
    hashes = {"image": row_hashes(data.image), "text": row_hashes(data.text)}
    image, image_zero = side_facts(data.image, data.present[:, 0])
    text, text_zero = side_facts(data.text, data.present[:, 1])
    counted = {"image": ~image_zero, "text": ~text_zero, "both": ~(image_zero | text_zero)}
    group = {kind: groups(hashes[kind]) for kind in hashes}
    group["both"] = groups(np.stack([group["image"], group["text"]], axis=1))
    splits = {name: index.numpy() for name, index in data.splits.items()}
    labels = as_sparse("labels", data.labels)
    shared = {f"{one}, {other}": counts for one, other, counts in _shared(splits, group, counted)}
    parts = {name: label_facts(labels[index], data.label_names) for name, index in splits.items()}
    facts: dict[str, Any] = {
        "items": len(data),
        "image": image,
        "text": text,
        "labels": label_facts(labels, data.label_names),
        "splits": parts,
        "duplicates": {kind: copies(group[kind][counted[kind]]) for kind in KINDS},
        "shared": shared,
    }
    leaks = tuple(_leaks(shared, parts))
    return DataCard(**facts, leaks=leaks, warnings=(*leaks, *_cautions(**facts)))


def _shared(
    splits: dict[str, np.ndarray], group: dict[str, np.ndarray], counted: dict[str, np.ndarray]
) -> Iterator[tuple[str, str, dict[str, int]]]:
    """For each pair of splits, count the items of the second that have a copy in the first."""
    for one, other in PAIRS:
        if one not in splits or other not in splits:
            continue
        if other == "query" and "test" in splits and np.array_equal(splits["test"], splits["query"]):
            continue  # The pair with the test split is the same.
        first, second = splits[one], splits[other]
        counts = {"items": int(np.isin(second, first).sum())}
        for kind in KINDS:
            copied, originals = (index[counted[kind][index]] for index in (second, first))
            counts[kind] = int(np.isin(group[kind][copied], group[kind][originals]).sum())
        yield one, other, counts


def _leaks(shared: dict[str, dict[str, int]], splits: dict[str, LabelFacts]) -> Iterator[str]:
    for pair, counts in shared.items():
        one, other = pair.split(", ")
        of = f"of {splits[other].items:,} items of '{other}'"
        if counts["items"]:
            yield f"{counts['items']:,} {of} are items of '{one}' too"
        if counts["image"] > counts["items"]:
            copied = f"have the same image features as an item of '{one}', {counts['both']:,} also the same text"
            yield f"{counts['image']:,} {of} {copied}"


def _cautions(
    items: int,
    image: SideFacts,
    text: SideFacts,
    labels: LabelFacts,
    splits: dict[str, LabelFacts],
    duplicates: dict[str, int],
    shared: dict[str, dict[str, int]],
) -> Iterator[str]:
    for pair, counts in shared.items():
        one, other = pair.split(", ")
        if counts["text"] > counts["items"]:
            of = f"of {splits[other].items:,} items of '{other}'"
            yield f"{counts['text']:,} {of} have the same text as an item of '{one}'"
    for kind, number in duplicates.items():
        if number and kind != "text":
            same = "image and text features" if kind == "both" else "image features"
            yield f"{number:,} of {items:,} items have the same {same} as an earlier item"
    for name, side in (("image", image), ("text", text)):
        if side.zero_rows:
            yield f"{side.zero_rows:,} of {items - side.missing:,} items have {name} features that are all 0"
        if side.constant:
            yield f"{side.constant:,} of {side.channels:,} {name} features have one value for all items"
    if labels.without:
        yield f"{labels.without:,} of {items:,} items have no label"
    if labels.never:
        yield f"{len(labels.never)} of {len(labels.count)} labels never occur: {_first(labels.never)}"
    never = set(labels.never)
    for name in ("train", "validation", "test", "query", "database"):
        absent = [label for label in splits[name].never if label not in never] if name in splits else []
        if absent:
            yield f"labels that occur, but not in '{name}': {_first(absent)}"


def _first(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


WIDTH = 100


def card_text(card: Mapping[str, Any]) -> str:
    """Format a card from `DataCard.as_dict` as text, with lines of at most ``WIDTH`` characters."""
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
            *_counts(labels["count"]),
            *_bins(card["splits"]),
            "\nThe same features in several items",
            *_duplicates(card),
            "\nWarnings",
            *([line for warning in card["warnings"] for line in _bullet(warning)] or ["  none"]),
        ]
    )


def _counts(count: Mapping[str, int]) -> list[str]:
    """List the items of each label, or of the most and the least frequent labels where they are many."""
    items = [f"{name} {number:,}" for name, number in count.items()]
    if len(items) <= MOST_COUNTS:
        return ["\nItems of each label", *_wrapped(items)]
    return [
        f"\nItems of the {SHOWN} most frequent of {len(items):,} labels",
        *_wrapped(items[:SHOWN]),
        f"\nItems of the {SHOWN} least frequent labels",
        *_wrapped(items[-SHOWN:]),
    ]


def _bins(splits: Mapping[str, Any]) -> list[str]:
    """Count the labels by their number of training items."""
    if "train" not in splits:
        return []
    bins = Counter(count_bins([*splits["train"]["count"].values()]).tolist())
    return [
        "\nLabels by their number of training items",
        *_table([(*COUNT_BINS,), tuple(str(bins[b]) for b in COUNT_BINS)]),
    ]


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
    for pair, counts in card["shared"].items():
        one, other = pair.split(", ")
        rows.append((f"in {other}, of {one}", *(f"{counts[kind]:,}" for kind in (*kinds, "items"))))
    return list(_table(rows))


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(others, widths[1:], strict=True))]
        yield "  " + "  ".join(cells).rstrip()


def _wrapped(words: Iterable[str]) -> list[str]:
    # Do not break a line between a label and its count.
    joined = ", ".join(word.replace(" ", "\0") for word in words)
    return [
        line.replace("\0", " ") for line in textwrap.wrap(joined, WIDTH, initial_indent="  ", subsequent_indent="  ")
    ]


def _bullet(sentence: str) -> list[str]:
    return textwrap.wrap(sentence, WIDTH, initial_indent="  - ", subsequent_indent="    ")
