"""Index images and texts for `labelgraph search`.

Examples:
  labelgraph index my-model my-data.npz --out my-index
  labelgraph index my-model my-data.npz --out my-index --split all
  labelgraph index my-model my-data.npz --out my-index --index faiss-ivf --set num_probes=8

The split 'database' is indexed, or all items if the data have no such split; 'all' means all items. The test items are
usually not in the database, because they are the queries of an evaluation. If INDEX exists, the old index stays
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
from labelgraph.cli.inputs import DATA_HELP, check_folder, chosen_rows, load, model_place, searched_split
from labelgraph.methods.registry import load_method

if TYPE_CHECKING:
    from labelgraph.data import CrossModalData

# Written out, so that --help does not import PyTorch.
KINDS = (
    "exact, or hamming for codes, which compare a query with every item; faiss-flat, faiss-ivf, faiss-hnsw, or for "
    "codes faiss-binary-flat, faiss-binary-ivf, faiss-binary-hnsw, which need FAISS (default: exact, or hamming for "
    "codes)"
)


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    command = add_command(commands, "index", __doc__ or "", run)
    command.add_argument("model", metavar="MODEL", type=model_place, help="folder of a trained model, or "
                         "hf://USER/MODEL for a model on the Hugging Face Hub")  # fmt: skip
    command.add_argument("data", metavar="DATA", help=DATA_HELP)
    command.add_argument("--out", metavar="INDEX", type=Path, required=True, help="folder for the index")
    command.add_argument(
        "--split", metavar="NAME", help="split to index, or all (default: database, or else all items)"
    )
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
    split = None if split == "all" and "all" not in data.splits else split
    rows = chosen_rows(data, split)
    method = load_method(options.model)
    kind = options.kind or ("hamming" if method.similarity == "hamming" else "exact")
    searcher = search.Searcher(method, kind, data.label_names, **_settings(kind, options.settings))
    present = data.present[rows]
    started = time.perf_counter()
    with progress_bar("embedding", int(present.sum()), "items", shown=not options.quiet, leave=False) as bar:
        searcher.fit(data, advance=bar.update, rows=rows)
    searcher.save(options.out)
    summary = {
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
    print_json(summary) if options.json else print(_summary(options, summary, data, int(rows[0])))


def _summary(options: argparse.Namespace, summary: dict[str, Any], data: CrossModalData, row: int) -> str:
    """Return the number of indexed items, and a command that searches the index."""
    where = f"the split {summary['split']!r} of {options.data}" if summary["split"] else options.data
    without = len(data) - max(summary["images"], summary["texts"]) if options.split is None else 0
    rest = f"{counted(without, 'item')} outside this split: --split all indexes every item.\n" if without else ""
    query = "--text WORDS" if "text" in data.encoders else f"--data {options.data} --text-id {data.ids[row]}"
    return (
        f"Indexed {counted(summary['images'], 'image')} and {counted(summary['texts'], 'text')} of {where} in "
        f"{summary['seconds']:.1f} s, with an index of the kind {summary['kind']!r}.\n{rest}Saved in {options.out}. "
        f"To find images for a text: labelgraph search {options.out} {query}"
    )


def _settings(kind: str, entries: list[str]) -> dict[str, int]:
    """Parse entries ``key=value`` with whole numbers."""
    settings = {}
    for entry in entries:
        key, _, value = entry.partition("=")
        check_name("--set", key, search.INDEXES[kind].settings)
        if not value.isdecimal():
            raise ValueError(f"'--set {key}' must be a positive whole number (got {value!r})")
        settings[key] = int(value)
    return settings
