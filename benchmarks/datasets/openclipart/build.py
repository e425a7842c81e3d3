"""Build the bundled OpenClipart set from Debian's packages."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.datasets.openclipart.annotations import MIN_LABEL_COUNT, Record, read_records, read_table
from benchmarks.datasets.openclipart.dataset_card import LICENCE, write_card
from benchmarks.datasets.openclipart.drawings import ENCODER, dequantise, drawn, quantise, take
from benchmarks.datasets.openclipart.keyword_build import name_vectors, read_kept, renew_vectors, write_keywords
from benchmarks.datasets.openclipart.selection import (
    THRESHOLD,
    Settled,
    deduplicate,
    embed_cached,
    save_npz,
    settle,
    split,
)
from labelgraph._core.files import write_text
from labelgraph.cli.common import guarded
from labelgraph.encoders import BagOfWords


@dataclass
class Steps:
    """The number of pictures after each step; it is printed when the step is finished."""

    counts: list[tuple[str, int]] = field(default_factory=list)

    def add(self, step: str, count: int) -> None:
        """Add one step."""
        self.counts.append((step, count))
        print(f"{count:6,} pictures: {step}", flush=True)


def read_public_domain(source: Path, steps: Steps) -> list[Record]:
    """Read the records of the pictures that are marked as public domain and have a PNG rendering."""
    for name in ("svg", "png"):
        if not (source / name).is_dir():
            raise ValueError(
                f"{source / name}: no such folder; install Debian's packages openclipart-svg and "
                "openclipart-png, or unpack them (dpkg -x) and give their usr/share/openclipart as --source"
            )
    records = read_records(source / "svg")
    steps.add("in the packages", len(records))
    records = [record for record in records if record.public_domain]
    steps.add("that state the public domain", len(records))
    missing = [record.id for record in records if not (source / "png" / f"{record.id}.png").exists()]
    if missing:
        raise ValueError(f"{source / 'png'}: no picture {missing[0]}.png, nor {len(missing) - 1:,} others")
    return records


def pick(records: Sequence[Record], indices: np.ndarray) -> list[Record]:
    """Take some of the records."""
    return [records[index] for index in indices.tolist()]


def select(records: Sequence[Record], features: np.ndarray, steps: Steps) -> tuple[np.ndarray, Settled]:
    """Choose the pictures to keep; return their indices, and their labels and words."""
    # Pictures without labels or words are dropped before near-duplicates. Otherwise such a picture could be the one
    # kept of a group of near-duplicates, and the whole group would be lost. With fewer pictures, some labels and words
    # become rare, so that `settle` is called again; it creates no new near-duplicates.
    first = settle(records, read_table())
    steps.add("with a label and a word", len(first.indices))
    unlike = deduplicate(features[first.indices], first.labels.sum(axis=1, dtype=np.int64))
    steps.add(f"no two with a cosine above {THRESHOLD}", len(unlike))
    chosen = first.indices[unlike]
    second = settle(pick(records, chosen), first.table)
    chosen = chosen[second.indices]
    steps.add("still with a label and a word, not counting the rare", len(chosen))
    return chosen, second


def encoders(vocabulary: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the settings of the encoders, so that a picture or a sentence can be a query."""
    return {"image": ENCODER.settings, "text": BagOfWords(vocabulary).settings}


def assemble(
    records: Sequence[Record], codes: np.ndarray, scale: np.ndarray, settled: Settled
) -> dict[str, np.ndarray]:
    """Return the arrays of openclipart.npz for the kept records, in their order."""
    text = settled.text
    return {
        "image_codes": codes,
        "image_scale": scale,
        "text_data": text.data.astype(np.uint8),
        "text_indices": text.indices.astype(np.int32),
        "text_indptr": text.indptr.astype(np.int64),
        "text_shape": np.array(text.shape, dtype=np.int64),
        "labels": settled.labels,
        "label_names": np.array(list(settled.table)),
        "ids": np.array([record.id for record in records]),
        "titles": np.array([record.title or record.stem for record in records]),
        "encoders": np.array(json.dumps(encoders(settled.vocabulary))),
        **{f"split/{name}": items for name, items in split(settled.labels).items()},
    }


def write(out: Path, arrays: Mapping[str, np.ndarray], thumbnails: Mapping[str, np.ndarray], steps: Steps) -> None:
    """Write the two archives, the card and the licence note."""
    dropped = [name for name in read_table() if name not in arrays["label_names"].tolist()]
    print(f"labels dropped for fewer than {MIN_LABEL_COUNT} pictures: {', '.join(dropped) or 'none'}")
    save_npz(out / "openclipart.npz", arrays)
    save_npz(out / "thumbnails.npz", thumbnails)
    write_text(out / "README.md", write_card(arrays, steps.counts, dropped, MIN_LABEL_COUNT, THRESHOLD))
    write_text(out / "LICENSE", LICENCE.read_text(encoding="utf-8"))
    for name in ("openclipart.npz", "thumbnails.npz", "README.md", "LICENSE"):
        print(f"{out / name}: {(out / name).stat().st_size:,} bytes")


def build(source: Path, out: Path, cache: Path | None) -> None:
    """Run all steps."""
    steps = Steps()
    records = read_public_domain(source, steps)
    features, data, offsets = embed_cached(source / "png", [record.id for record in records], cache)
    shown = drawn(data, offsets)
    steps.add("not blank", len(shown))
    codes, scale = quantise(features[shown])
    # The next steps use the quantised features, so that the near-duplicate threshold holds for the stored features.
    chosen, settled = select(pick(records, shown), dequantise(codes, scale), steps)
    indices = shown[chosen]
    arrays = assemble(pick(records, indices), codes[chosen], scale, settled)
    arrays["label_vectors"] = name_vectors(list(settled.table))
    write(out, arrays, take(data, offsets, indices), steps)
    write_keywords(pick(records, indices), out)
    print(f"{settled.labels.shape[1]} labels, {settled.labels.sum() / len(indices):.2f} per picture")


def main() -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.datasets.openclipart.build", description=__doc__)
    parser.add_argument(
        "--source",
        type=Path,
        default=Path("/usr/share/openclipart"),
        help="folder with svg/ and png/ of Debian's packages openclipart-svg and openclipart-png "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("labelgraph/data/openclipart"),
        help="folder for the data set (default: %(default)s)",
    )
    parser.add_argument("--cache", type=Path, help=".npz file that keeps features and thumbnails for the next run")
    parser.add_argument(
        "--keywords-only",
        action="store_true",
        help="keep the pictures and labels of the openclipart.npz in --out; make the keyword labels of these pictures "
        "and the vectors of all label names",
    )
    arguments = parser.parse_args()

    def run() -> None:
        if arguments.keywords_only:
            renew_vectors(arguments.out)
            write_keywords(read_kept(arguments.source, arguments.out), arguments.out)
        else:
            build(arguments.source, arguments.out, arguments.cache)

    return guarded(run, "run the command again to start over")


if __name__ == "__main__":
    sys.exit(main())
