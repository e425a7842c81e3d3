"""The commands from a folder of features to answers, each measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scale.process import Finished, run
from benchmarks.synthetic.generate import SyntheticData
from benchmarks.synthetic.sets import SETS, SyntheticSet
from benchmarks.synthetic.write import write_items

# As wide as embeddings of pictures are, with a bag of words; labels as those of MIRFlickr.
SPEC = replace(SETS["mirflickr"], image_channels=512, text_channels=512)
QUERIES, NEIGHBOURS = 1_000, 100
SETTINGS = {
    "algcn": ("model.bits=64", "model.hidden_channels=256", "train.batch_size=256", "train.lr=1e-3"),
    "agah": ("model.bits=64", "model.hidden_channels=512", "model.graph_channels=[256,128]", "train.batch_size=256"),
}


def make(folder: Path, items: int, tell: Callable[[int, int], None]) -> None:
    """Write the data, block by block, and beside them a file of queries, which are no items."""
    write_items(SPEC, folder / "data", items, 0, tell=tell, about={"made_for": "benchmarks.scale"})
    np.save(folder / "queries.npy", _queries(SPEC))


def _queries(spec: SyntheticSet) -> np.ndarray:
    """Image features of items after all others."""
    return SyntheticData(spec).rows(2**40, 2**40 + QUERIES).image


def commands(folder: Path, method: str) -> dict[str, list[str]]:
    """What is run, by name, in turn."""
    data, model, index, queries = (str(folder / name) for name in ("data", "model", "index", "queries.npy"))
    settings = ["--set", *SETTINGS[method]]
    return {
        f"train {method}, 64 bits, 1 epoch":
            ["train", data, "--out", model, "--method", method, "--epochs", "1", *settings, "--quiet", "--json"],
        "index, images and texts": ["index", model, data, "--out", index, "--json"],
        "search, the text of one item": ["search", index, "--data", data, "--text-id", "7", "--json"],
        f"search, {QUERIES:,} images, top {NEIGHBOURS}":
            ["search", index, "--images", queries, "-k", str(NEIGHBOURS), "--json"],
    }  # fmt: skip


def measure(folder: Path, method: str, threads: int) -> Iterator[dict[str, Any]]:
    """Run all commands; gives of each its name, its words, seconds and memory, and what it told."""
    environment = {"OMP_NUM_THREADS": str(threads)}
    for name, words in commands(folder, method).items():
        finished = run([sys.executable, "-m", "labelgraph", *words], environment)
        yield {
            "name": name,
            "command": " ".join(["labelgraph", *words]).replace(str(folder), "DIR"),
            **{key: value for key, value in asdict(finished).items() if key != "output"},
            "told": _told(finished, folder),
        }


def _told(finished: Finished, folder: Path) -> dict[str, Any]:
    """The plain numbers and words of a command's answer, without its lists; how many neighbours a search gave."""
    answer = json.loads(finished.output.replace(str(folder), "DIR"))
    told: dict[str, Any] = {key: value for key, value in answer.items() if isinstance(value, str | int | float)}
    if "queries" in answer:
        told["neighbours"] = [len(answer["queries"]), len(answer["queries"][0]["neighbours"])]
    return told
