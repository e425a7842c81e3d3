"""The data card of the bundled set, README.md."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

LICENCE = Path(__file__).with_name("licence.txt")
TEMPLATE = Path(__file__).with_name("card.md")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Lay out a Markdown table that also reads as plain text, all columns but the first right-aligned."""
    texts = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    cells = [list(header), *texts]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        first, *others = zip(row, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        return f"| {' | '.join(padded)} |"

    rule = [f":{'-' * (widths[0] - 1)}", *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    return "\n".join([line(cells[0]), line(rule), *map(line, cells[1:])])


def wrapped(items: Iterable[str]) -> str:
    """Join items by commas, wrapped to short lines."""
    return textwrap.fill(", ".join(items), width=108, break_on_hyphens=False)


def label_table(arrays: Mapping[str, np.ndarray]) -> str:
    """Count every label in each split, the most frequent first."""
    labels = arrays["labels"].astype(np.int64)
    splits = [labels[arrays[f"split/{name}"]].sum(axis=0) for name in ("train", "validation", "test")]
    counts = np.stack([labels.sum(axis=0), *splits], axis=1)
    order = np.argsort(-counts[:, 0], kind="stable")
    rows = [(arrays["label_names"][index], *counts[index].tolist()) for index in order]
    return table(["label", "all", "train", "validation", "test"], rows)


def word_facts(arrays: Mapping[str, np.ndarray]) -> dict[str, object]:
    """Count words."""
    vocabulary = json.loads(str(arrays["encoders"]))["text"]["vocabulary"]
    per_picture = np.diff(arrays["text_indptr"])
    counts = np.bincount(arrays["text_indices"], minlength=len(vocabulary))
    top = np.argsort(-counts, kind="stable")[:40]
    return {
        "vocabulary": len(counts),
        "words_per_picture": per_picture.mean(),
        "median_words": np.median(per_picture),
        "fewest": per_picture.min(),
        "most": per_picture.max(),
        "frequent": wrapped([f"{vocabulary[index]} {counts[index]:,}" for index in top]),
    }


def write_card(
    arrays: Mapping[str, np.ndarray],
    steps: Sequence[tuple[str, int]],
    dropped: Sequence[str],
    minimum: int,
    threshold: float,
) -> str:
    """Fill in the text of README.md."""
    per_picture = arrays["labels"].sum(axis=1, dtype=np.int64)
    sizes = {name: len(arrays[f"split/{name}"]) for name in ("train", "validation", "test")}
    shapes = {name: " x ".join(map(str, array.shape)) or "1" for name, array in arrays.items()}
    types = {name: "str" if array.dtype.kind == "U" else array.dtype.name for name, array in arrays.items()}
    contents = [(f"`{name}`", shapes[name], types[name]) for name in arrays]
    return TEMPLATE.read_text(encoding="utf-8").format(
        pictures=len(per_picture),
        offsets=len(per_picture) + 1,
        contents=table(["array", "shape", "type"], contents),
        steps=table(["step", "pictures"], steps),
        features=arrays["image_codes"].shape[1],
        minimum=minimum,
        names=len(arrays["label_names"]),
        dropped=wrapped(dropped) or "none",
        threshold=threshold,
        per_picture=per_picture.mean(),
        single=(per_picture == 1).mean(),
        many=(per_picture >= 3).mean(),
        labels=label_table(arrays),
        **sizes,
        **word_facts(arrays),
    )
