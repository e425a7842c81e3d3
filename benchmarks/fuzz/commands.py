"""The commands that are interrupted: what they need, what they make, and how they are given again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.fuzz.public_names import (
    COMMAND,
    RUN,
    Searcher,
    load_method,
    load_npz,
    read_results,
    run_command,
    save_npz,
)
from benchmarks.fuzz.reader_cases import model_content, searcher_content
from benchmarks.fuzz.sample_files import SMALL, method, numbers, pairs, run_arguments

PICTURES = 12


@dataclass(frozen=True)
class Command:
    """A command, run in the folder of its files.

    Args:
        module: What ``python -m`` runs.
        arguments: Of the command, with paths relative to its folder.
        prepare: Makes its inputs, and what an earlier command left.
        out: The file or folder that it makes, if any.
        look: Gives what can be loaded of it.
        resume: Arguments to go on with what an interrupted one left; otherwise the same ones.
        grows: Whether what is half done cannot be loaded, as it is a new folder that grows.
    """

    module: str
    arguments: list[str]
    prepare: Callable[[Path], None]
    out: str = ""
    look: Callable[[Path], Any] = bool
    resume: tuple[str, ...] = ()
    grows: bool = False

    def again(self, place: Path) -> list[str]:
        """The arguments to give after an interruption."""
        begun = self.resume and (place / self.out / "config.yaml").exists()
        return list(self.resume) if begun else self.arguments


def _data(place: Path) -> None:
    save_npz(pairs(), place / "data.npz")


def _model(place: Path) -> None:
    _data(place)
    method(pairs(), seed=9).save_pretrained(place / "model")


def _index(place: Path) -> None:
    _model(place)
    Searcher(method(pairs(), seed=8)).fit(pairs(seed=1)).save(place / "index")


def _pictures(place: Path) -> None:
    (place / "pictures").mkdir()
    rows = ["file,caption,tags"]
    for number in range(PICTURES):
        pixels = (numbers(20, 20, 3, seed=number) * 255).astype(np.uint8)
        Image.fromarray(pixels).save(place / "pictures" / f"{number}.png")
        rows.append(f"{number}.png,word{'abcd'[number % 4]} thing,t{number % 2}")
    (place / "pictures" / "captions.csv").write_text("\n".join(rows) + "\n")
    save_npz(pairs(), place / "made.npz")


def _graph(place: Path) -> None:
    _data(place)
    (place / "graph.json").write_text("{}")


def _run(place: Path) -> None:
    _data(place)


def _whole_run(place: Path) -> None:

    _data(place)
    if run_command(RUN_ARGUMENTS):
        raise ValueError("the run fails")


def _look_run(place: Path) -> Any:
    return [read_results(place / "run" / "metrics.json"), model_content(load_method(place / "run/seed-0/model"))]


RUN_ARGUMENTS = run_arguments(Path())
TRAIN = ["train", "data.npz", "--quiet", *SMALL, "--epochs", "12", "--out", "model"]
QUERY = ["search", "index", "--data", "data.npz", "--text-id", "item 3", "--json"]
COMMANDS: dict[str, Command] = {
    "data-make": Command(COMMAND, ["data", "make", "pictures", "--out", "made.npz", "--quiet"], _pictures, "made.npz",
                         lambda place: load_npz(place / "made.npz")),
    "train": Command(COMMAND, TRAIN, _model, "model", lambda place: model_content(load_method(place / "model"))),
    "evaluate": Command(COMMAND, ["evaluate", "model", "data.npz", "--json"], _model),
    "index": Command(COMMAND, ["index", "model", "data.npz", "--out", "index"], _index, "index",
                     lambda place: searcher_content(Searcher.load(place / "index"))),
    "search": Command(COMMAND, QUERY, _index),
    "graph": Command(COMMAND, ["graph", "data.npz", "--out", "graph.json"], _graph, "graph.json",
                     lambda place: (place / "graph.json").read_text()),
    "run": Command(RUN, RUN_ARGUMENTS, _run, "run", _look_run, ("--resume", "run"), grows=True),
    "run-resume": Command(RUN, ["--resume", "run"], _whole_run, "run", _look_run),
}  # fmt: skip
