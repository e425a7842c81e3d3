"""Embed images and texts by a model, and index them for `labelgraph search`.

Examples:
  labelgraph index my-model my-data.npz --out my-index
  labelgraph index my-model my-data.npz --out my-index --split database
  labelgraph index my-model my-data.npz --out my-index --index faiss-ivf --set num_probes=8

By default the split 'database' is indexed, or all items where the data have none. An index that was in INDEX stays
until the new one is complete.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from torch import Tensor

from labelgraph._core.names import check_name
from labelgraph._core.writing import check_writable
from labelgraph.cli.common import Parser, add_command, print_json
from labelgraph.cli.given_data import DATA_HELP, chosen_rows, load, searched_split
from labelgraph.data import CrossModalData
from labelgraph.methods import load_method
from labelgraph.search import INDEXES, Searcher


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    command = add_command(commands, "index", __doc__ or "", run)
    command.add_argument("model", metavar="MODEL", type=Path, help="folder of a trained model")
    command.add_argument("data", metavar="DATA", help=DATA_HELP)
    command.add_argument("--out", metavar="INDEX", type=Path, required=True, help="folder for the index")
    command.add_argument("--split", metavar="NAME", help="items to index (default: database, or else all)")
    command.add_argument("--index", metavar="NAME", dest="kind",
                         help=f"one of: {', '.join(INDEXES)} (default: exact, or hamming for codes)")  # fmt: skip
    command.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], dest="settings",
                         help="settings of the index: num_probes of IVF, num_links and search_width of "
                         "HNSW")  # fmt: skip
    command.add_argument("--progress", action="store_true", help="show a progress bar also where standard error is no "
                         "terminal")  # fmt: skip


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    if options.kind is not None:
        check_name("--index", options.kind, INDEXES)
    check_writable(options.out)
    data = load(options.data)
    split = options.split or searched_split(data)
    rows = chosen_rows(data, split)
    method = load_method(options.model)
    kind = options.kind or ("hamming" if method.similarity == "hamming" else "exact")
    searcher = Searcher(method, kind, data.label_names, **_settings(kind, options.settings))
    present = data.present[rows]
    started = time.perf_counter()
    _fit(searcher, data, rows, options.progress)
    searcher.save(options.out)
    made = {
        "index": str(options.out),
        "kind": kind,
        "settings": {**INDEXES[kind].settings, **searcher.settings},
        "method": method.name,
        "similarity": method.similarity,
        "split": split,
        "images": int(present[:, 0].sum()),
        "texts": int(present[:, 1].sum()),
        "labels": data.num_labels,
        "seconds": time.perf_counter() - started,
    }
    print_json(made) if options.json else print(_told(options, made, data.ids[int(rows[0])]))


def _told(options: argparse.Namespace, made: dict[str, Any], each: str) -> str:
    """What was made, and what to do with it."""
    where = f"of {made['split']!r} in {options.data}" if made["split"] else f"of {options.data}"
    return (
        f"{made['images']:,} images and {made['texts']:,} texts {where}, in an index {made['kind']!r}, made in "
        f"{made['seconds']:.1f} s\nsaved in {options.out}; labelgraph search {options.out} --data {options.data} "
        f"--text-id {each} finds pictures for a text"
    )


def _settings(kind: str, given: list[str]) -> dict[str, int]:
    """``key=value`` with whole numbers."""
    settings = {}
    for each in given:
        key, _, value = each.partition("=")
        check_name("--set", key, INDEXES[kind].settings)
        if not value.isdecimal():
            raise ValueError(f"'--set {key}' must be a positive whole number (got {value!r})")
        settings[key] = int(value)
    return settings


def _fit(searcher: Searcher, data: CrossModalData, rows: Tensor, progress: bool) -> None:
    """Embed and index, with a progress bar on a terminal or where it is asked for."""
    from tqdm import tqdm

    shown = {"total": int(data.present[rows].sum()), "disable": False if progress else None, "leave": progress}
    with tqdm(desc="embedding", unit="item", **shown) as bar:
        searcher.fit(data, advance=bar.update, rows=rows)
