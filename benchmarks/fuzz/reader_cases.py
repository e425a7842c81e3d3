"""The readers: how an undamaged input is made, and what is read of it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from scipy.io import savemat

from benchmarks.fuzz import sample_files as make
from benchmarks.fuzz.public_names import (
    MatPictures,
    Searcher,
    build_encoder,
    labelgraph_command,
    load_folder,
    load_hashing_files,
    load_label_counts,
    load_method,
    load_npz,
    load_six_files,
    load_splits,
    load_wikipedia,
    open_picture,
    read_label_vectors,
    read_results,
    read_splits,
    read_table,
    run_command,
)


@dataclass(frozen=True)
class Reader:
    """A reader and its input.

    Args:
        build: Makes the undamaged files in a folder.
        read: Gives what is read of a folder, made of arrays, containers and plain values.
        files: Pattern of the files to damage.
        checksums: Whether the format has checksums: another content of damaged bytes is a failure then.
        named: Whether an error has to name a file.
    """

    build: Callable[[Path], None]
    read: Callable[[Path], Any]
    files: str = "**/*"
    checksums: bool = False
    named: bool = True


def model_content(model: Any) -> list[Any]:
    """What a loaded method is made of."""
    return [model.name, repr(model), dict(model.state_dict()), dict(model.encoders), model.similarity]


def searcher_content(searcher: Any) -> list[Any]:
    """What a loaded searcher answers."""
    data, names = make.pairs(sparse=False), searcher.label_names
    found = [searcher.search(image=data.image[:3], k=100), searcher.search(text=data.text[:3], k=5, labels=names[:1])]
    answers = [[each.ids, each.titles, each.scores.numpy()] for each in found]
    return [searcher.label_names, model_content(searcher.method), answers]


def _encoder(folder: Path) -> Any:
    settings = load_method(folder / "model").encoders.get("text")
    if settings is None:
        return None
    encoder = build_encoder(settings)
    return [encoder.settings, encoder.encode(["a red bird in the sky"])]


def _command(main: Callable[[list[str]], int], *arguments: str) -> str:
    """The standard output of a command; an exit status of 2 with a line on standard error is a `ValueError`."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        status = main(list(arguments))
    lines = errors.getvalue().splitlines()
    if status == 2 and lines:
        raise ValueError(lines[-1])
    if status:
        raise RuntimeError(f"exit status {status}: {errors.getvalue()}")
    return out.getvalue()


def _make_settings(folder: Path) -> None:
    settings = {"model": {"hidden_channels": 8}, "train": {"lr": 1e-3, "betas": [0.5, 0.9], "epochs": 3}}
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))


def _settings(folder: Path) -> str:
    given = ("train", "--method", "algcn", "--config", str(folder / "settings.yaml"), "--list-settings")
    return _command(labelgraph_command, *given)


def _make_label_file(folder: Path) -> None:
    (folder / "labels.csv").write_text("sky,cat,dog\n" + "1,0,1\n0,1,1\n" * 5)


def _vectors(name: str, folder: Path) -> Any:
    return tuple(read_label_vectors(folder / name, make.NAMES))


READERS: dict[str, Reader] = {
    "data-npz": Reader(make.make_npz, lambda f: load_npz(f / "data.npz"), checksums=True),
    "data-folder": Reader(make.make_folder, lambda f: load_folder(f / "own", memory_map=False), checksums=True),
    "data-folder-mapped": Reader(make.make_folder, lambda f: load_folder(f / "own")),
    "table-csv": Reader(make.make_table, lambda f: read_table(f / "items.csv", split="split")),
    "table-tsv": Reader(partial(make.make_table, separator="\t"), lambda f: read_table(f / "items.tsv", split="split")),
    "table-parquet": Reader(make.make_parquet, lambda f: read_table(f / "items.parquet"), checksums=True),
    "hashing-5": Reader(make.make_hashing5, load_hashing_files),
    "hashing-73": Reader(make.make_hashing73, load_hashing_files),
    "six-files": Reader(make.make_six, load_six_files),
    "wikipedia": Reader(make.make_wikipedia, load_wikipedia),
    "words-txt": Reader(make.make_word_text, partial(_vectors, "words.txt"), "words.txt"),
    "words-gz": Reader(make.make_word_text, partial(_vectors, "words.txt.gz"), "words.txt.gz", checksums=True),
    "words-bin": Reader(make.make_word_bin, partial(_vectors, "words.bin")),
    "words-mat": Reader(lambda f: savemat(f / "inp.mat", {"inp": make.numbers(4, 6)}), partial(_vectors, "inp.mat")),
    "label-counts": Reader(
        lambda f: savemat(f / "adj.mat", {"adj": make.numbers(4, 4) * 0, "nums": make.numbers(1, 4) * 0 + 3}),
        lambda f: load_label_counts(f, make.LABELS),
    ),
    "splits-folder": Reader(make.make_index_folder, lambda f: read_splits(f / "rows", make.pairs())),
    "splits-json": Reader(make.make_splits, lambda f: load_splits(f / "rows.json", make.pairs())),
    "splits-npz": Reader(make.make_index_npz, lambda f: read_splits(f / "rows.npz", make.pairs()), checksums=True),
    "model": Reader(make.make_model, lambda f: model_content(load_method(f / "model")), checksums=True),
    "encoder-settings": Reader(make.make_model, _encoder, "**/model.json", checksums=True, named=False),
    "searcher": Reader(make.make_searcher, lambda f: searcher_content(Searcher.load(f / "index")), checksums=True),
    "searcher-faiss": Reader(
        partial(make.make_searcher, index="faiss-hnsw"),
        lambda f: searcher_content(Searcher.load(f / "index")),
        checksums=True,
    ),
    "checkpoint": Reader(make.make_checkpoint, lambda f: make.train(f, 2), checksums=True),
    "run-folder": Reader(
        make.make_run, lambda f: _command(run_command, "--eval", str(f / "run")), "run/**/[!r]*.[jsy]*"
    ),
    "run-metrics": Reader(make.make_run, lambda f: read_results(f / "run" / "metrics.json"), "run/metrics.json"),
    "settings-yaml": Reader(_make_settings, _settings),
    "labels-csv": Reader(_make_label_file, lambda f: _command(labelgraph_command, "graph", str(f / "labels.csv"))),
    "picture-png": Reader(make.make_png, lambda f: open_picture(f / "picture.png").tobytes(), checksums=True),
    "picture-jpeg": Reader(make.make_jpeg, lambda f: open_picture(f / "picture.jpg").tobytes()),
    "pictures-mat": Reader(
        lambda f: make.save73(f / "iall.mat", {"IAll": (make.numbers(6, 4, 3, 9) * 255).astype("uint8")}),
        lambda f: next(iter(MatPictures(f / "iall.mat").blocks(4))),
    ),
}
