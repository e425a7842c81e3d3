"""Index images and texts for `labelgraph search`.

Examples:
  labelgraph index my-model my-data.npz --out my-index
  labelgraph index my-model my-data.npz --out my-index --split all
  labelgraph index my-model my-data.npz --out my-index --index faiss-ivf --set num_probes=8
  labelgraph index my-model my-data.npz --out my-index --store lance          # on disk, for many processes
  labelgraph index my-model my-data.npz --store milvus:http://localhost:19530
  labelgraph index my-model my-data.npz --out my-index --store lance --part 2/8    # each part on another machine

The split 'database' is indexed, or all items if the data have no such split; 'all' means all items. The test items are
usually not in the database, because they are the queries of an evaluation. If INDEX exists, the old index stays
usable until the new one is complete.

--store says where the items are kept: 'memory', in files that a search reads into memory; 'lance', in a database of
LanceDB in the folder INDEX; lance:PATH, in another folder; milvus:FOLDER.db or milvus:URI, in Milvus. By default, up to
1,000,000 images and texts are kept in memory, and more in LanceDB. Search with the same address.

With --part K/N, the command adds a part of the items to a store, and leaves other items of the store as they are. The
parts may be added at the same time. Run the command of an interrupted part again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelgraph import search
from labelgraph._core.files import check_writable
from labelgraph._core.names import check_name
from labelgraph._core.progress import progress_bar
from labelgraph.cli.common import Parser, add_command, counted, note, print_json
from labelgraph.cli.inputs import (
    DATA_HELP,
    add_revision,
    check_place,
    chosen_rows,
    load,
    model_place,
    part_of_words,
    return_large_blocks,
    searched_split,
)
from labelgraph.methods.registry import load_method
from labelgraph.search.stores.address import INDEXES as STORE_INDEXES
from labelgraph.search.stores.address import WANTED, address_of, default_index, is_address, open_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from labelgraph.data import CrossModalData
    from labelgraph.methods import Method
    from labelgraph.search import Searcher

BLOCK = 4096  # Number of items that are added at a time.
LARGE = 1_000_000  # Number of images and texts from which on LanceDB is the default.
# Written out, so that --help does not import PyTorch.
KINDS = (
    "exact, or hamming for codes, which compare a query with every item; faiss-flat, faiss-ivf, faiss-hnsw, or for "
    "codes faiss-binary-flat, faiss-binary-ivf, faiss-binary-hnsw, which need FAISS (default: exact, or hamming for "
    "codes). In LanceDB and Milvus: exact or ivf (default: ivf in LanceDB, exact in Milvus)"
)


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    command = add_command(commands, "index", __doc__ or "", run)
    command.add_argument("model", metavar="MODEL", type=model_place, help="folder of a trained model, or "
                         "hf://USER/MODEL for a model on the Hugging Face Hub")  # fmt: skip
    command.add_argument("data", metavar="DATA", help=DATA_HELP)
    command.add_argument("--out", metavar="INDEX", type=Path, help="folder for the index; not with an "
                         "address in --store")  # fmt: skip
    command.add_argument(
        "--split", metavar="NAME", help="split to index, or all (default: database, or else all items)"
    )
    command.add_argument("--store", metavar="STORE", help="where the items are kept: memory, lance, lance:PATH or "
                         "milvus:URI (default: memory, or lance for more than 1,000,000 images and texts)")  # fmt: skip
    command.add_argument("--part", metavar="K/N", type=part_of_words, help="add only one of N equal parts of the "
                         "items to a store, such as lance; several processes may add parts at a time")  # fmt: skip
    command.add_argument("--index", metavar="NAME", dest="kind", help=f"kind of index: {KINDS}")
    command.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], dest="settings",
                         help="settings of the index: num_probes (IVF); num_links, search_width (HNSW)")  # fmt: skip
    add_revision(command)
    command.add_argument("--quiet", action="store_true", help="do not print progress")


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    _check(options)
    data = load(options.data)
    split = options.split or searched_split(data)
    split = None if split == "all" and "all" not in data.splits else split
    rows = chosen_rows(data, split)
    if options.part is not None:
        rows = rows[list(options.part.of(len(rows)))]
    method = load_method(options.model, revision=options.revision)
    store = _store(options, int(data.present[rows].sum()), sparse=method.similarity.startswith("sparse-"))
    kind = options.kind or default_index(method.similarity, store)
    searcher = _searcher(method, kind, store, data.label_names, options.settings)
    present = data.present[rows]
    started = time.perf_counter()
    with progress_bar("embedding", int(present.sum()), "items", shown=not options.quiet, leave=False) as bar:
        if options.part is None:
            searcher.fit(data, advance=bar.update, rows=rows)
        else:
            _add(searcher, data, rows, bar.update)
    if store is None:
        searcher.save(options.out)
    summary = {"index": str(options.out or store), **_content(searcher, split, present, data.num_labels),
               "seconds": time.perf_counter() - started}  # fmt: skip
    print_json(summary) if options.json else print(_summary(options, summary, data, int(rows[0])))


def _check(options: argparse.Namespace) -> None:
    """Check the options, before slow modules are imported."""
    addressed = is_address(options.store)
    if not addressed and options.store not in (None, "memory", "lance"):
        raise ValueError(f"'--store' must be memory, lance, {WANTED} (got {options.store!r})")
    if addressed == (options.out is not None):
        wanted = "left out with an address in --store" if addressed else "given, unless --store is an address"
        raise ValueError(f"'--out' must be {wanted} (got {options.out if addressed else 'none'})")
    if options.out is not None:
        check_writable(options.out, folder=True, name="--out")
    if options.part is not None and not addressed and options.store != "lance":
        raise ValueError("'--part' needs --store lance, lance:PATH or milvus:URI, to which several processes can add "
                         f"(got --store {options.store or 'memory'})")  # fmt: skip
    check_place(options, options.model, "folder of a model")
    if options.kind is not None and options.store is not None:
        check_name("--index", options.kind, search.INDEXES if options.store == "memory" else STORE_INDEXES)
    elif options.kind is not None:
        check_name("--index", options.kind, search.INDEXES)


def _searcher(method: Method, kind: str, store: str | None, names: Sequence[str], settings: list[str]) -> Searcher:
    if store is not None:
        return_large_blocks()
    return search.Searcher(method, kind, names, store, **_settings(kind, settings, store))


def _add(searcher: Searcher, data: CrossModalData, rows: Tensor, advance: Callable[[int], object]) -> None:
    """Add items to a store block by block, in place of those that an interrupted command has added."""
    for block in rows.split(BLOCK):
        present = data.present[block].to(int)
        for sides in present.unique(dim=0).tolist():
            chosen = block[(present == present.new_tensor(sides)).all(1)]
            has_image, has_text = sides
            searcher.upsert(
                [data.ids[row] for row in chosen.tolist()],
                image=data.image[chosen] if has_image else None,
                text=data.text_rows(chosen) if has_text else None,
                labels=data.label_rows(chosen),
                titles=[data.titles[row] for row in chosen.tolist()],
            )
            advance(len(chosen) * sum(sides))


def _store(options: argparse.Namespace, size: int, sparse: bool) -> str | None:
    """Return the address of the store, or None for the memory, where sparse embeddings always are.

    Raises:
        ValueError: If the folder holds an index of the other kind.
        ImportError: If the package of the store is not installed.
    """
    kind = options.store
    if kind is None and options.kind is None and size > LARGE and not sparse:
        kind = "lance" if find_spec("lancedb") else None
        note(f"{size:,} images and texts are kept in LanceDB; --store memory keeps them in memory" if kind else
             f'{size:,} images and texts are kept in memory; with pip install "labelgraph[lance]", they are kept on '
             "disk, in LanceDB")  # fmt: skip
    if is_address(kind):
        open_engine(kind)
        return str(kind)
    if kind == "lance":
        open_engine(f"lance:{options.out}")
        return f"lance:{options.out}"
    if address_of(options.out) is not None:
        raise ValueError(f"'--out' must be new, or an index in memory (got {options.out}, a store of LanceDB); "
                         "use another folder or --store lance")  # fmt: skip
    return None


def _content(searcher: Searcher, split: str | None, present: Tensor, num_labels: int) -> dict[str, Any]:
    """Return what was indexed, and how."""
    return {
        "kind": searcher.index,
        "settings": {**_defaults(searcher.index, searcher.store), **searcher.settings},
        "method": searcher.method.name,
        "similarity": searcher.method.similarity,
        "split": split,
        "images": int(present[:, 0].sum()),
        "texts": int(present[:, 1].sum()),
        "labels": num_labels,
    }


def _summary(options: argparse.Namespace, summary: dict[str, Any], data: CrossModalData, row: int) -> str:
    """Return the number of indexed items, and a command that searches the index."""
    where = f"the split {summary['split']!r} of {options.data}" if summary["split"] else options.data
    without = len(data) - max(summary["images"], summary["texts"]) if options.split is options.part is None else 0
    rest = f"{counted(without, 'item')} outside this split: --split all indexes every item.\n" if without else ""
    query = "--text WORDS" if "text" in data.encoders else f"--data {options.data} --text-id {data.ids[row]}"
    return (
        f"Indexed {counted(summary['images'], 'image')} and {counted(summary['texts'], 'text')} of {where} in "
        f"{summary['seconds']:.1f} s, with an index of the kind {summary['kind']!r}.\n{rest}Saved in "
        f"{summary['index']}. To find images for a text: labelgraph search {summary['index']} {query}"
    )


def _defaults(kind: str, store: str | None) -> Mapping[str, int]:
    return search.INDEXES[kind].settings if store is None else STORE_INDEXES[kind]


def _settings(kind: str, entries: list[str], store: str | None) -> dict[str, Any]:
    """Parse entries ``key=value`` with whole numbers."""
    settings = {}
    for entry in entries:
        key, _, value = entry.partition("=")
        check_name("--set", key, _defaults(kind, store))
        if not value.isdecimal():
            raise ValueError(f"'--set {key}' must be a positive whole number (got {value!r})")
        settings[key] = int(value)
    return settings
