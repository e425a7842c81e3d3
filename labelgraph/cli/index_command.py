"""Index images and texts for `labelgraph search`.

Examples:
  labelgraph index my-model my-data.npz --out my-index
  labelgraph index my-model my-data.npz --out my-index --split database
  labelgraph index my-model my-data.npz --out my-index --index faiss-ivf --set num_probes=8

The split 'database' is indexed, or all items if the data have no such split. An index that INDEX holds already stays
usable until the new one is complete.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelgraph import search
from labelgraph._core.files import check_writable
from labelgraph._core.names import check_name
from labelgraph._core.progress import progress_bar
from labelgraph.cli.common import Parser, add_command, counted, print_json
from labelgraph.cli.given_data import DATA_HELP, check_folder, chosen_rows, load, searched_split
from labelgraph.methods.registry import load_method

if TYPE_CHECKING:
    from labelgraph.data import CrossModalData

# In words, so that the help needs no PyTorch.
KINDS = (
    "exact or hamming, which compare with every item; or, of FAISS, faiss-flat, faiss-ivf, faiss-hnsw, and for codes "
    "faiss-binary-flat, faiss-binary-ivf, faiss-binary-hnsw (default: exact, or hamming for codes)"
)


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    command = add_command(commands, "index", __doc__ or "", run)
    command.add_argument("model", metavar="MODEL", type=Path, help="folder of a trained model")
    command.add_argument("data", metavar="DATA", help=DATA_HELP)
    command.add_argument("--out", metavar="INDEX", type=Path, required=True, help="folder for the index")
    command.add_argument("--split", metavar="NAME", help="split to index (default: database, or else all items)")
    command.add_argument("--index", metavar="NAME", dest="kind", help=f"kind of index: {KINDS}")
    command.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], dest="settings",
                         help="settings of the index: num_probes (IVF); num_links, search_width (HNSW)")  # fmt: skip
    command.add_argument("--quiet", action="store_true", help="do not print progress")


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    check_writable(options.out, folder=True, name="--out")
    check_folder(options.model, "folder of a model")
    if options.kind is not None:
        check_name("--index", options.kind, search.INDEXES)
    data = load(options.data)
    split = options.split or searched_split(data)
    rows = chosen_rows(data, split)
    method = load_method(options.model)
    kind = options.kind or ("hamming" if method.similarity == "hamming" else "exact")
    searcher = search.Searcher(method, kind, data.label_names, **_settings(kind, options.settings))
    present = data.present[rows]
    started = time.perf_counter()
    with progress_bar("embedding", int(present.sum()), "items", shown=not options.quiet, leave=False) as bar:
        searcher.fit(data, advance=bar.update, rows=rows)
    searcher.save(options.out)
    made = {
        "index": str(options.out),
        "kind": kind,
        "settings": {**search.INDEXES[kind].settings, **searcher.settings},
        "method": method.name,
        "similarity": method.similarity,
        "split": split,
        "images": int(present[:, 0].sum()),
        "texts": int(present[:, 1].sum()),
        "labels": data.num_labels,
        "seconds": time.perf_counter() - started,
    }
    print_json(made) if options.json else print(_summary(options, made, data, int(rows[0])))


def _summary(options: argparse.Namespace, made: dict[str, Any], data: CrossModalData, row: int) -> str:
    """What was indexed, and a command that searches it."""
    where = f"the split {made['split']!r} of {options.data}" if made["split"] else options.data
    query = "--text WORDS" if "text" in data.encoders else f"--data {options.data} --text-id {data.ids[row]}"
    return (
        f"Indexed {counted(made['images'], 'image')} and {counted(made['texts'], 'text')} of {where} in "
        f"{made['seconds']:.1f} s, with an index of the kind {made['kind']!r}.\nSaved in {options.out}. To find images "
        f"for a text: labelgraph search {options.out} {query}"
    )


def _settings(kind: str, given: list[str]) -> dict[str, int]:
    """``key=value`` with whole numbers."""
    settings = {}
    for each in given:
        key, _, value = each.partition("=")
        check_name("--set", key, search.INDEXES[kind].settings)
        if not value.isdecimal():
            raise ValueError(f"'--set {key}' must be a positive whole number (got {value!r})")
        settings[key] = int(value)
    return settings
