"""The files of the keyword labels: arrays, data card."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.datasets.openclipart.annotations import Record, read_records
from benchmarks.datasets.openclipart.dataset_card import table, wrapped
from benchmarks.datasets.openclipart.drawings import ENCODER
from benchmarks.datasets.openclipart.keywords import (
    MIN_KEYWORD_COUNT,
    MIN_WORD_COUNT,
    Keyworded,
    settle_keywords,
    split_keywords,
)
from benchmarks.datasets.openclipart.selection import save_npz
from labelgraph._core.files import write_text
from labelgraph.data import COUNT_BINS, count_bins
from labelgraph.encoders import BagOfWords, label_name_vectors

CARD = Path(__file__).with_name("keyword_card.md")
SPLITS = ("train", "validation", "test")


def name_vectors(names: Sequence[str]) -> np.ndarray:
    """Embed label names, (C, 384) float16, by the packaged sentence encoder."""
    vectors: np.ndarray = label_name_vectors("sentence", names).vectors.numpy().astype(np.float16)
    return vectors


def renew_vectors(out: Path) -> None:
    """Embed the label names of ``openclipart.npz`` again, and leave all else in the file as it is."""
    with np.load(out / "openclipart.npz", allow_pickle=False) as file:
        arrays = dict(file)
    save_npz(out / "openclipart.npz", {**arrays, "label_vectors": name_vectors(arrays["label_names"].tolist())})


def read_kept(source: Path, out: Path) -> list[Record]:
    """Read the records of the pictures of ``openclipart.npz``, in its order."""
    with np.load(out / "openclipart.npz", allow_pickle=False) as arrays:
        ids = arrays["ids"].tolist()
    records = {record.id: record for record in read_records(source / "svg")}
    if missing := [name for name in ids if name not in records]:
        raise ValueError(f"{source / 'svg'}: no picture {missing[0]}.svg, nor {len(missing) - 1:,} others")
    return [records[name] for name in ids]


def assemble_keywords(settled: Keyworded) -> dict[str, np.ndarray]:
    """Put together the arrays of keywords.npz; ``items`` are rows of openclipart.npz."""
    encoders = {"image": ENCODER.settings, "text": BagOfWords(settled.vocabulary).settings}
    text = settled.text
    return {
        "items": settled.kept.astype(np.int32),
        "text_data": text.data.astype(np.uint8),
        "text_indices": text.indices.astype(np.int32),
        "text_indptr": text.indptr.astype(np.int64),
        "text_shape": np.array(text.shape, dtype=np.int64),
        "labels": settled.labels,
        "label_names": np.array(list(settled.table)),
        "encoders": np.array(json.dumps(encoders)),
        **{f"split/{name}": items for name, items in split_keywords(settled.labels).items()},
    }


def bin_table(arrays: Mapping[str, np.ndarray]) -> str:
    """Count labels, and those with a picture in the test, by the number of training pictures of a label."""
    counts = {name: arrays["labels"][arrays[f"split/{name}"]].sum(axis=0, dtype=np.int64) for name in SPLITS}
    bins = count_bins(counts["train"])
    rows = []
    for name in COUNT_BINS:
        inside = bins == name
        rows.append((name, int(inside.sum()), *(int((counts[part][inside] > 0).sum()) for part in SPLITS[1:])))
    header = ["training pictures of a label", "labels", "of these in the validation split", "in the test split"]
    return table(header, [row for row in rows if row[1]])


def keyword_card(arrays: Mapping[str, np.ndarray], pictures: int) -> str:
    """Fill in the text of KEYWORDS.md."""
    per_picture = arrays["labels"].sum(axis=1, dtype=np.int64)
    counts = arrays["labels"].sum(axis=0, dtype=np.int64)
    words = np.diff(arrays["text_indptr"])
    labels = wrapped(f"{name} {count:,}" for name, count in zip(arrays["label_names"], counts, strict=True))
    return CARD.read_text(encoding="utf-8").format(
        pictures=len(per_picture),
        all_pictures=pictures,
        names=len(counts),
        minimum=MIN_KEYWORD_COUNT,
        minimum_words=MIN_WORD_COUNT,
        vocabulary=arrays["text_shape"][1],
        words=words.mean(),
        per_picture=per_picture.mean(),
        median=np.median(counts),
        bins=bin_table(arrays),
        labels=labels,
        **{name: len(arrays[f"split/{name}"]) for name in SPLITS},
    )


def write_keywords(
    records: Sequence[Record], out: Path, embed: Callable[[Sequence[str]], np.ndarray] = name_vectors
) -> None:
    """Write keywords.npz and its card for the pictures of ``openclipart.npz``."""
    settled = settle_keywords(records)
    arrays = {**assemble_keywords(settled), "label_vectors": embed(list(settled.table))}
    save_npz(out / "keywords.npz", arrays)
    write_text(out / "KEYWORDS.md", keyword_card(arrays, len(records)))
    for name in ("keywords.npz", "KEYWORDS.md"):
        print(f"{out / name}: {(out / name).stat().st_size:,} bytes")
    print(f"{len(settled.table)} keywords, {settled.labels.sum() / len(settled.kept):.2f} per picture")
