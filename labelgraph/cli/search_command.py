"""Search with words, pictures or items: find pictures for texts, and texts for pictures.

Examples:
  labelgraph search my-index --text "a dog on the beach" "a red car"
  labelgraph search my-index --image picture.png
  labelgraph search my-index --text "a dog" --in both                   # pictures that match, or whose text does
  labelgraph search my-model --data openclipart --text red --labels bird --sheet found.png
  labelgraph search my-index --data my-data.npz --text-id 42            # pictures for the text of item 42
  labelgraph search my-index --data my-data.npz --image-id 7 8 -k 3     # texts for the pictures of two items
  labelgraph search my-index --texts features.npy --json                # one query per row of features
  labelgraph search my-index --list-words                               # words that the model knows

The place to search is an index of `labelgraph index`, or a model with --data: then the split 'database' of the data,
or all items. Searching by words or picture files needs a model trained on data that record how their features were
made, as those of `labelgraph data make` do. --sheet writes the results as pictures: those of the bundled set, or the
files that the ids of items are paths of; a text is shown by the picture that it belongs to.

Exit status: 0; 1 if some texts have no known word, and the others are answered; 2 for an error.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelgraph import search
from labelgraph._core.names import check_name
from labelgraph.cli.common import FAILED, Parser, add_command, fitted_table, note, print_json
from labelgraph.cli.given_data import DATA_HELP, check_file, check_folder, chosen_rows, load, searched_split
from labelgraph.data.named_sets import check_dataset
from labelgraph.methods.registry import load_method

if TYPE_CHECKING:
    from labelgraph.cli.queries import Queries
    from labelgraph.cli.sheet import Picture
    from labelgraph.data import CrossModalData
    from labelgraph.search import Neighbours, Searcher

WITHIN = ("pictures", "texts", "both")
WEAK = 0.1  # An expected Jaccard coefficient below which an item hardly shares a label with the query.


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    command = add_command(commands, "search", __doc__ or "", run)
    command.add_argument("place", metavar="MODEL_OR_INDEX", type=Path, help="folder of an index, or of a model")
    command.add_argument("--data", metavar="DATA", help="data set with the items of --text-id or --image-id; for a "
                         f"model, the items to search: {DATA_HELP}")  # fmt: skip
    asked = command.add_mutually_exclusive_group(required=True)
    for side, other in (("text", "pictures"), ("image", "texts")):
        asked.add_argument(f"--{side}-id", metavar="ID", nargs="+",
                           help=f"find {other} for the {side}s of items of DATA")  # fmt: skip
        asked.add_argument(f"--{side}s", metavar="FILE", type=Path,
                           help=f"find {other} for rows of {side} features: .npy, .npz or sparse .npz")  # fmt: skip
    asked.add_argument("--text", metavar="WORDS", nargs="+", help="find pictures for words, each argument a query")
    asked.add_argument("--image", metavar="PICTURE", nargs="+", type=Path, help="find texts for picture files")
    asked.add_argument("--list-words", action="store_true", help="list the words that the model knows, and exit")
    command.add_argument("--in", choices=WITHIN, dest="within", help="search pictures, texts, or both, where an item "
                         "is found by either (default: the other side of the query)")  # fmt: skip
    command.add_argument("--lexical", action="store_true", help="also rank by words that captions share with a text "
                         "(BM25)")  # fmt: skip
    command.add_argument("-k", metavar="N", type=int, default=10, help="number of results per query (default: 10)")
    command.add_argument("--labels", metavar="NAME", nargs="+", help="only items with one of these labels")
    command.add_argument("--ids", metavar="ID", nargs="+", help="only items with one of these ids")
    command.add_argument("--sheet", metavar="FILE.png", type=Path, help="also write the results as pictures")
    command.add_argument("--pictures", metavar="FOLDER", type=Path, help="for --sheet: folder that the ids of items "
                         "are paths in (default: that of the data, or the working directory)")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Run the command, and return the exit status: 1 if only some of the queries could be answered, 2 if none."""
    _check_places(options)
    data = load(options.data) if options.data else None
    searcher = _searcher(options.place, data)
    for label in options.labels or ():
        check_name("--labels", label, searcher.label_names)
    if options.list_words:
        return _list_words(options, searcher)
    refused = _refuse_unknown_words(options, searcher) if options.text else {}
    if refused and not options.text:
        return FAILED
    queries = _queries(options, searcher, data)
    found = searcher.search(
        **{queries.side: queries.features}, k=options.k, within=options.within, lexical=options.lexical,
        labels=options.labels, ids=options.ids,
    )  # fmt: skip
    if options.sheet:
        _show(options, data, queries, found)
    if options.json:
        print_json(_as_json(options, queries, found, searcher, refused))
    else:
        print("\n\n".join(_table(options, queries, found, row) for row in range(len(found.ids))))
    return 1 if refused else 0


def _list_words(options: argparse.Namespace, searcher: Searcher) -> int:
    """Print the words that a text can be searched by."""
    from labelgraph.cli.queries import known_words

    words = known_words(searcher.method, searcher.label_names)
    print_json({"words": words}) if options.json else print("\n".join(words))
    return 0


def _refuse_unknown_words(options: argparse.Namespace, searcher: Searcher) -> dict[str, str]:
    """Keep the texts with a known word in the options, and print an error for each other one."""
    from labelgraph.cli.queries import answerable

    options.text, refused = answerable(searcher.method, options.text, searcher.label_names, options.labels or ())
    for reason in refused.values():
        note(f"error: {reason}")
    return refused


def _check_places(options: argparse.Namespace) -> None:
    """Refuse what does not exist, before anything slow is imported."""
    if (options.text_id or options.image_id) and options.data is None:
        raise ValueError("'--data' must be given with --text-id and --image-id: it has the features of the items")
    if options.sheet and options.sheet.suffix.lower() != ".png":
        raise ValueError(f"'--sheet' must end in .png (got {options.sheet})")
    check_folder(options.place, "folder of an index or a model")
    if options.data:
        check_dataset(options.data)
    for picture in options.image or ():
        check_file(picture, "picture")
    if features := options.texts or options.images:
        check_file(features, "file of features")


def _searcher(place: Path, data: CrossModalData | None) -> Searcher:
    """An index that was saved, or one made now of a model and data."""
    from labelgraph.methods.model_folder import MODEL_FORMAT
    from labelgraph.search.searcher_folder import SEARCHER_FORMAT

    if (place / SEARCHER_FORMAT.manifest).exists() or not (place / MODEL_FORMAT.manifest).exists():
        return search.Searcher.load(place)
    if data is None:
        raise ValueError(f"'--data' must be given with a model: it has the items to search (got {place} alone)")
    return search.Searcher(load_method(place)).fit(data, rows=chosen_rows(data, searched_split(data)))


def _queries(options: argparse.Namespace, searcher: Searcher, data: CrossModalData | None) -> Queries:
    """The queries, of whichever kind the options give."""
    from labelgraph.cli.queries import Queries, feature_queries, item_queries, query_encoder

    side = "text" if options.text_id or options.texts or options.text else "image"
    if data is not None and (ids := options.text_id or options.image_id):
        return item_queries(data, side, ids)
    if file := options.texts or options.images:
        return feature_queries(file, side)
    query_encoder(searcher.method, side)  # A model that keeps none is told by the name of the option.
    given = options.text or options.image
    names = [str(each) for each in given]
    return Queries(side, given, names, names)


def _show(options: argparse.Namespace, data: CrossModalData | None, queries: Queries, found: Neighbours) -> None:
    """Write the sheet; a query that is a picture stands before its results."""
    from labelgraph.cli.sheet import find_pictures, write_sheet

    def pictures(ids: list[str]) -> list[Picture]:
        return find_pictures(data, options.data, options.pictures, ids)

    asked: list[Picture] = [None] * len(queries.names)
    if options.image:
        asked = list(options.image)
    elif options.image_id:
        asked = pictures(options.image_id)
    write_sheet(options.sheet, queries, asked, found, [pictures(ids) for ids in found.ids])
    note(f"wrote {options.sheet}")


def _as_json(
    options: argparse.Namespace, queries: Queries, found: Neighbours, searcher: Searcher, refused: dict[str, str]
) -> dict[str, Any]:
    rows = zip(queries.names, queries.titles, found.ids, found.titles, found.scores.tolist(), strict=True)
    return {
        "from": queries.side,
        "to": _searched(options, queries),
        "similarity": searcher.method.similarity,
        "score": found.score_name,
        "refused": [{"query": text, "reason": reason} for text, reason in refused.items()],
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


def _searched(options: argparse.Namespace, queries: Queries) -> str:
    """The side that is searched: image, text or both."""
    if options.within:
        return {"pictures": "image", "texts": "text"}.get(options.within, "both")
    return "text" if queries.side == "image" else "image"


def _table(options: argparse.Namespace, queries: Queries, found: Neighbours, row: int) -> str:
    """The results of one query, with titles if the items have any."""
    ids, titles, scores = found.ids[row], found.titles[row], found.scores[row].tolist()
    title = f" ({queries.titles[row]})" if queries.titles[row] != queries.names[row] else ""
    other = {"image": "images", "text": "texts", "both": "items"}[_searched(options, queries)]
    head = f"{other} for the {queries.side} {queries.names[row]}{title}"
    if not ids:
        return f"{head}: none; no item passes the filters"
    if found.score_name == "expected Jaccard" and scores[0] < WEAK:
        head += f"\nNothing matches well: the best score is {scores[0]:.3f}, of at most 1."
    titled = titles != ids
    shown = [f"{value:.4f}" if isinstance(value, float) else str(value) for value in scores]
    rows = [
        [str(rank), each, *([name] if titled else []), value]
        for rank, (each, name, value) in enumerate(zip(ids, titles, shown, strict=True), 1)
    ]
    return f"{head}\n\n{fitted_table(['rank', 'id', *(['title'] if titled else []), found.score_name], rows)}"
