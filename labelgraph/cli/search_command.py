"""Search with words, pictures or items: find pictures for texts, and texts for pictures.

Examples:
  labelgraph search my-index --text "a dog on the beach" "a red car"
  labelgraph search my-index --image picture.png
  labelgraph search my-index --text "a dog" --in both                   # items whose picture or text matches
  labelgraph search my-model --data openclipart --text red --labels bird --sheet results.png
  labelgraph search my-index --data my-data.npz --text-id 42            # pictures for the text of item 42
  labelgraph search my-index --data my-data.npz --image-id 7 8 -k 3     # texts for the pictures of two items
  labelgraph search my-index --label bird ladybug                       # any label, also one that is not trained
  labelgraph search my-index --texts features.npy --json                # one query per row of features
  labelgraph search my-index --list-words                               # words that the model knows

MODEL_OR_INDEX is an index of `labelgraph index`, or a model. A model needs --data, and searches the split 'database',
or all items if the data have no such split. To search by words or picture files, the model must be trained on data that
record their encoders, as data of `labelgraph data make` do. --sheet writes the results as pictures; a text is shown as
the picture of its item. The ids of the items must be paths of picture files, unless the data are the bundled set.

Exit status: 0 if every query is answered; 1 if only some are, because the other texts have no known word; 2 for an
error.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelgraph._core.names import SIDES, check_name
from labelgraph.cli.common import FAILED, Parser, add_command, fitted_table, note, print_json
from labelgraph.cli.inputs import DATA_HELP, add_revision, check_file, check_place, model_place, open_searcher
from labelgraph.data.named_sets import check_dataset

if TYPE_CHECKING:
    from labelgraph.cli.queries import Answer, Queries
    from labelgraph.cli.sheet import Picture
    from labelgraph.data import CrossModalData
    from labelgraph.methods.label_placement import LabelPlacement
    from labelgraph.search import Searcher

WITHIN = ("pictures", "texts", "both")


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    command = add_command(commands, "search", __doc__ or "", run)
    command.add_argument("place", metavar="MODEL_OR_INDEX", type=model_place, help="folder of an index, or of a "
                         "model, lance:PATH or milvus:URI for a store, or hf://USER/MODEL for a model on the Hugging "
                         "Face Hub")  # fmt: skip
    add_revision(command)
    command.add_argument("--data", metavar="DATA", help=f"{DATA_HELP}. It has the items of --text-id or "
                         "--image-id; for a model, also the items to search")  # fmt: skip
    _add_queries(command)
    command.add_argument("--in", choices=WITHIN, dest="within", help="search pictures, texts, or both; with both, "
                         "items match by picture or text (default: the other side than the query)")  # fmt: skip
    command.add_argument("--lexical", action=argparse.BooleanOptionalAction, default=None, help="also rank by the "
                         "words that a text query shares with the captions (BM25), and search pictures and texts "
                         "unless --in is given; by default only for words that the model does not know")  # fmt: skip
    command.add_argument("-k", metavar="N", type=int, default=10, help="number of results per query (default: 10)")
    command.add_argument("--labels", metavar="NAME", nargs="+", help="only items with one of these labels")
    command.add_argument("--ids", metavar="ID", nargs="+", help="only items with one of these ids")
    command.add_argument("--sheet", metavar="FILE.png", type=Path, help="also write the results as pictures")
    command.add_argument("--pictures", metavar="FOLDER", type=Path, help="for --sheet: folder of the picture files "
                         "(default: the folder of the data, then the working directory)")  # fmt: skip


def _add_queries(command: Parser) -> None:
    asked = command.add_mutually_exclusive_group(required=True)
    for side, other in (("text", "pictures"), ("image", "texts")):
        asked.add_argument(f"--{side}-id", metavar="ID", nargs="+",
                           help=f"find {other} for the {side}s of items of DATA")  # fmt: skip
        asked.add_argument(f"--{side}s", metavar="FILE", type=Path,
                           help=f"find {other} for rows of {side} features: .npy, .npz or sparse .npz")  # fmt: skip
    asked.add_argument("--text", metavar="WORDS", nargs="+", help="find pictures for words; each argument is a query")
    asked.add_argument("--image", metavar="PICTURE", nargs="+", type=Path, help="find texts for picture files")
    asked.add_argument("--label", metavar="NAME", nargs="+", help="find pictures for labels; each argument is a query. "
                       "A label that is not trained is searched by the trained labels with the nearest names, and as a "
                       "word")  # fmt: skip
    command.add_argument("--vector", metavar="FILE", type=Path, help="for --label: vectors of labels that are not "
                         "trained, as .npy or a file of word vectors (default: the sentence encoder, if it is "
                         "installed)")  # fmt: skip
    asked.add_argument("--list-words", action="store_true", help="list the words that the model knows, and exit")


def run(options: argparse.Namespace) -> int:
    """Run the command, and return the exit status: 1 if only some of the queries could be answered, 2 if none."""
    _check_places(options)
    if options.lexical and options.within is None:
        options.within = "both"
    searcher, data = open_searcher(options.place, options.data, options.revision, _needed(options))
    for label in options.labels or ():
        check_name("--labels", label, searcher.label_names)
    if options.list_words:
        return _list_words(options, searcher)
    refused = _refuse_unknown_words(options, searcher) if options.text else {}
    if refused and not options.text:
        return FAILED
    queries = _queries(options, searcher, data)
    placed = _placements(searcher, options) if options.label else []
    answers = _answers(options, searcher, queries)
    if options.sheet:
        _show(options, data, queries, answers)
    if options.json:
        print_json(_as_json(options, queries, answers, searcher, refused, placed))
    else:
        for each in placed:
            print(each)
        print("\n\n".join(_table(options, queries, answer, row) for row, answer in enumerate(answers)))
    return 1 if refused else 0


def _placements(searcher: Searcher, options: argparse.Namespace) -> list[LabelPlacement]:
    """Place the labels without training items; an error names the option."""
    try:
        return searcher.placements(options.label, options.vector)
    except ValueError as error:
        raise ValueError(str(error).replace("'label'", "'--label'", 1)) from error


def _answers(options: argparse.Namespace, searcher: Searcher, queries: Queries) -> list[Answer]:
    """Search. Texts are searched one by one, because only some of them may need the captions, and other scores."""
    from labelgraph.cli.queries import Answer

    settings: dict[str, Any] = {
        "vectors": options.vector, "k": options.k, "within": options.within, "lexical": options.lexical,
        "labels": options.labels, "ids": options.ids,
    }  # fmt: skip
    batches: list[Any] = [[text] for text in queries.features] if options.text else [queries.features]
    answers = []
    for batch in batches:
        settings[queries.side] = batch
        answers += Answer.of(searcher.search(**settings))
    return answers


def _list_words(options: argparse.Namespace, searcher: Searcher) -> int:
    """Print the words that a text query can use."""
    from labelgraph.cli.query_words import every_label, known_words

    words = known_words(searcher.method, every_label(searcher))
    print_json({"words": words}) if options.json else print("\n".join(words))
    return 0


def _refuse_unknown_words(options: argparse.Namespace, searcher: Searcher) -> dict[str, str]:
    """Remove texts without a known word from the options, and print an error for each of them."""
    from labelgraph.cli.query_words import answerable, every_label

    found: list[list[str]] = [[] for _ in options.text]
    if options.lexical is None and "text" in searcher.method.encoders:
        found = searcher.caption_words(options.text, options.within)
    options.text, refused = answerable(
        searcher.method, options.text, every_label(searcher), options.labels or (), options.lexical or False, found
    )
    for reason in refused.values():
        note(f"error: {reason}")
    return refused


def _check_places(options: argparse.Namespace) -> None:
    """Check that files and folders exist, before slow modules are imported."""
    if (options.text_id or options.image_id) and options.data is None:
        raise ValueError("'--data' must be given with --text-id and --image-id: it has the features of the items")
    if options.vector is not None:
        if not options.label:
            raise ValueError("'--vector' needs --label (got another query)")
        check_file(options.vector, "file of vectors")
    if options.sheet and options.sheet.suffix.lower() != ".png":
        raise ValueError(f"'--sheet' must end in .png (got {options.sheet})")
    check_place(options, options.place, "folder of an index or a model")
    if options.data:
        check_dataset(options.data)
    for picture in options.image or ():
        check_file(picture, "picture")
    if features := options.texts or options.images:
        check_file(features, "file of features")


def _queries(options: argparse.Namespace, searcher: Searcher, data: CrossModalData | None) -> Queries:
    """Return the queries of the options: ids of items, a file of features, words, or picture files."""
    from labelgraph.cli.queries import Queries, feature_queries, item_queries, query_encoder

    side = "text" if options.text_id or options.texts or options.text else "image"
    if data is not None and (ids := options.text_id or options.image_id):
        return item_queries(data, side, ids)
    if file := options.texts or options.images:
        return feature_queries(file, side)
    if options.label:
        return Queries("label", options.label, options.label, options.label)
    query_encoder(searcher.method, side)  # An error names the option --text or --image.
    queries = options.text or options.image
    names = [str(query) for query in queries]
    return Queries(side, queries, names, names)


def _show(
    options: argparse.Namespace, data: CrossModalData | None, queries: Queries, answers: Sequence[Answer]
) -> None:
    """Write the sheet; the picture of a query is put before its results."""
    from labelgraph.cli.sheet import find_pictures, write_sheet

    def pictures(ids: list[str]) -> list[Picture]:
        return find_pictures(data, options.data, options.pictures, ids)

    asked: list[Picture] = [None] * len(queries.names)
    if options.image:
        asked = list(options.image)
    elif options.image_id:
        asked = pictures(options.image_id)
    write_sheet(options.sheet, queries, asked, answers, [pictures(answer.ids) for answer in answers])
    note(f"wrote {options.sheet}")


def _as_json(
    options: argparse.Namespace,
    queries: Queries,
    answers: Sequence[Answer],
    searcher: Searcher,
    refused: dict[str, str],
    placed: list[LabelPlacement],
) -> dict[str, Any]:
    rows = zip(queries.names, queries.titles, answers, strict=True)
    return {
        "from": queries.side,
        "to": _searched(options),
        "similarity": searcher.method.similarity,
        "score": " or ".join(dict.fromkeys(answer.score_name for answer in answers)),
        "refused": [{"query": text, "reason": reason} for text, reason in refused.items()],
        **({"placed": {each.name: dict(each.nearest) for each in placed}} if options.label else {}),
        "queries": [
            {
                "query": name,
                "title": title,
                "score": answer.score_name,
                "neighbours": [
                    {"rank": rank, "id": each, "title": shown, "score": score}
                    for rank, (each, shown, score) in enumerate(answer.rows(), 1)
                ],
            }
            for name, title, answer in rows
        ],
    }


def _searched(options: argparse.Namespace) -> str:
    """Return the side that is searched: image, text or both."""
    if options.within:
        return {"pictures": "image", "texts": "text"}.get(options.within, "both")
    return "text" if options.image or options.images or options.image_id else "image"


def _needed(options: argparse.Namespace) -> Sequence[str]:
    """Return the sides whose files a search reads."""
    if options.list_words:
        return ()
    return SIDES if (side := _searched(options)) == "both" else (side,)


def _table(options: argparse.Namespace, queries: Queries, answer: Answer, row: int) -> str:
    """Return the results of one query as a table, with titles if the items have any."""
    from labelgraph.cli.queries import WEAK

    ids, titles, scores = answer.ids, answer.titles, answer.scores
    title = f" ({queries.titles[row]})" if queries.titles[row] != queries.names[row] else ""
    other = {"image": "images", "text": "texts", "both": "items"}[_searched(options)]
    head = f"{other} for the {queries.side} {repr(queries.names[row]) if options.text else queries.names[row]}{title}"
    if not ids:
        return f"{head}: none, because {_reason(options, answer)}"
    if answer.score_name == "expected Jaccard" and scores[0] < WEAK:
        head += f"\nNo item matches well: the best score is {scores[0]:.3f}, where 1 is the highest possible score."
        head += " --lexical also searches the captions." if options.text and not options.lexical else ""
    titled = titles != ids
    shown = [f"{value:.4f}" if isinstance(value, float) else str(value) for value in scores]
    rows = [
        [str(rank), each, *([name] if titled else []), value]
        for rank, (each, name, value) in enumerate(zip(ids, titles, shown, strict=True), 1)
    ]
    header = ["rank", "id", *(["title"] if titled else []), answer.score_name]
    return f"{head}\n\n{fitted_table(header, rows, left=len(header) - 1)}"


def _reason(options: argparse.Namespace, answer: Answer) -> str:
    """Say why a query has no results."""
    if not answer.dropped:
        return "no item matches the filters"
    return "no caption has a word of it" + (" and matches the filters" if options.labels or options.ids else "")
