"""Search an index or a model's data: pictures for texts, or texts for pictures.

Examples:
  labelgraph search my-index --text "a dog on the beach" "a red car"
  labelgraph search my-index --image picture.png
  labelgraph search my-model --data openclipart --text red --labels bird --sheet found.png
  labelgraph search my-index --data my-data.npz --text-id 42            # pictures for the text of item 42
  labelgraph search my-index --data my-data.npz --image-id 7 8 -k 3     # texts for the pictures of two items
  labelgraph search my-index --texts features.npy --json                # a row of features each

In an index of `labelgraph index`, or with a model and --data in the split 'database' of the data, or in all items where
they have none. Words and pictures can be searched for where the data told how their features were made, and the model
keeps it. --sheet shows what was found as pictures: those of the bundled set, or files that the ids of items are paths
of; for texts, the pictures that they belong to.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelgraph import search
from labelgraph._core.names import check_name
from labelgraph.cli.common import Parser, add_command, note, print_json
from labelgraph.cli.given_data import DATA_HELP, check_file, check_folder, chosen_rows, load, searched_split
from labelgraph.data.named_sets import check_dataset
from labelgraph.methods.registry import load_method

if TYPE_CHECKING:
    from labelgraph.cli.queries import Queries
    from labelgraph.cli.sheet import Picture
    from labelgraph.data import CrossModalData
    from labelgraph.search import Neighbours, Searcher

SCORES = {"cosine": "cosine", "dot": "product", "hamming": "Hamming distance"}


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    command = add_command(commands, "search", __doc__ or "", run)
    command.add_argument("place", metavar="MODEL_OR_INDEX", type=Path, help="folder of an index, or of a model")
    command.add_argument("--data", metavar="DATA", help="where items to search for are, and for a model what to "
                         f"search in: {DATA_HELP}")  # fmt: skip
    asked = command.add_mutually_exclusive_group(required=True)
    for side, other in (("text", "pictures"), ("image", "texts")):
        asked.add_argument(
            f"--{side}-id", metavar="ID", nargs="+", help=f"find {other} for the {side}s of items of DATA"
        )
        asked.add_argument(f"--{side}s", metavar="FILE", type=Path,
                           help=f"find {other} for rows of {side} features: .npy, .npz or sparse .npz")  # fmt: skip
    asked.add_argument("--text", metavar="WORDS", nargs="+", help="find pictures for words")
    asked.add_argument("--image", metavar="PICTURE", nargs="+", type=Path, help="find texts for picture files")
    command.add_argument("-k", metavar="N", type=int, default=10, help="how many for each (default: 10)")
    command.add_argument("--labels", metavar="NAME", nargs="+", help="only items with one of these labels")
    command.add_argument("--ids", metavar="ID", nargs="+", help="only items with one of these ids")
    command.add_argument("--sheet", metavar="FILE.png", type=Path, help="write what was found as pictures, too")
    command.add_argument("--pictures", metavar="FOLDER", type=Path, help="for --sheet: folder that the ids of items "
                         "are paths in (default: that of the data, or the working directory)")  # fmt: skip


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    if (options.text_id or options.image_id) and options.data is None:
        raise ValueError("'--data' must be given with --text-id and --image-id: it has the items' features")
    _check_places(options)
    data = load(options.data) if options.data else None
    searcher = _searcher(options.place, data)
    for label in options.labels or ():
        check_name("--labels", label, searcher.label_names)
    queries = _queries(options, searcher, data)
    found = searcher.search(
        image=queries.features if queries.side == "image" else None,
        text=queries.features if queries.side == "text" else None,
        k=options.k,
        labels=options.labels,
        ids=options.ids,
    )
    if options.sheet:
        _show(options, data, queries, found)
    if options.json:
        print_json(_as_json(queries, found, searcher))
        return
    for row in range(len(found.ids)):
        print(("\n" if row else "") + _table(queries, found, row, SCORES[searcher.method.similarity]))


def _check_places(options: argparse.Namespace) -> None:
    """Refuse what is not there, before anything slow is imported."""
    if options.sheet and options.sheet.suffix.lower() != ".png":
        raise ValueError(f"'--sheet' must end in .png (got {options.sheet})")
    check_folder(options.place, "folder of an index or a model")
    if options.data:
        check_dataset(options.data)
    for picture in options.image or ():
        check_file(picture, "a picture")
    if features := options.texts or options.images:
        check_file(features, "features")


def _searcher(place: Path, data: CrossModalData | None) -> Searcher:
    """An index that was saved, or one made now of a model and data."""
    from labelgraph.methods.model_folder import MODEL_FORMAT
    from labelgraph.search.searcher_folder import SEARCHER_FORMAT

    if (place / SEARCHER_FORMAT.manifest).exists() or not (place / MODEL_FORMAT.manifest).exists():
        return search.Searcher.load(place)
    if data is None:
        raise ValueError(f"'--data' must be given with a model: it has what is searched in (got {place} alone)")
    return search.Searcher(load_method(place)).fit(data, rows=chosen_rows(data, searched_split(data)))


def _queries(options: argparse.Namespace, searcher: Searcher, data: CrossModalData | None) -> Queries:
    """What is searched for, from wherever it is given."""
    from labelgraph.cli.queries import encoded_queries, feature_queries, item_queries, query_encoder, tell_words

    side = "text" if options.text_id or options.texts or options.text else "image"
    if data is not None and (ids := options.text_id or options.image_id):
        return item_queries(data, side, ids)
    if file := options.texts or options.images:
        return feature_queries(file, side)
    encoder = query_encoder(searcher.method, side)
    if options.text:
        tell_words(encoder, options.text, searcher.label_names, options.labels or ())
    return encoded_queries(encoder, side, options.text or options.image)


def _show(options: argparse.Namespace, data: CrossModalData | None, queries: Queries, found: Neighbours) -> None:
    """Write the sheet, each row with the picture ahead that it was searched for."""
    from labelgraph.cli.sheet import find_pictures, write_sheet

    def pictures(ids: list[str]) -> list[Picture]:
        return find_pictures(data, options.data, options.pictures, ids)

    asked: list[Picture] = [None] * len(queries.names)
    if options.image:
        asked = list(options.image)
    elif options.image_id:
        asked = pictures(options.image_id)
    write_sheet(options.sheet, queries, asked, found, [pictures(ids) for ids in found.ids])
    note(f"written to {options.sheet}")


def _as_json(queries: Queries, found: Neighbours, searcher: Searcher) -> dict[str, Any]:
    rows = zip(queries.names, queries.titles, found.ids, found.titles, found.scores.tolist(), strict=True)
    return {
        "from": queries.side,
        "to": "text" if queries.side == "image" else "image",
        "similarity": searcher.method.similarity,
        "queries": [
            {
                "query": name,
                "title": title,
                "neighbours": [
                    {"rank": rank, "id": each, "title": shown, "score": score}
                    for rank, (each, shown, score) in enumerate(zip(ids, titles, scores, strict=True), 1)
                ],
            }
            for name, title, ids, titles, scores in rows
        ],
    }


def _table(queries: Queries, found: Neighbours, row: int, score: str) -> str:
    """The neighbours of one query, with titles where there are any."""
    from labelgraph.report import markdown_table

    ids, titles, scores = found.ids[row], found.titles[row], found.scores[row].tolist()
    title = f" ({queries.titles[row]})" if queries.titles[row] != queries.names[row] else ""
    other = "texts" if queries.side == "image" else "images"
    head = f"{other} for the {queries.side} {queries.names[row]}{title}"
    if not ids:
        return f"{head}: none; no item passes the filters"
    titled = titles != ids
    shown = [f"{value:.4f}" if isinstance(value, float) else str(value) for value in scores]
    rows = [
        [str(rank), each, *([name] if titled else []), value]
        for rank, (each, name, value) in enumerate(zip(ids, titles, shown, strict=True), 1)
    ]
    return f"{head}\n\n{markdown_table(['rank', 'id', *(['title'] if titled else []), score], rows)}"
