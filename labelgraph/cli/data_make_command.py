"""Make a data set from pictures with captions and tags.

Examples:
  labelgraph data make my-pictures --out my-data.npz         # a folder with captions.csv: file, caption, tags
  labelgraph data make items.csv --out my-data --columns file=picture caption=words split=part --separator '|'
  labelgraph data make my-pictures --out my-data.npz --text-encoder sentence-transformers
  labelgraph data make my-pictures --out my-data.npz --image-encoder clip --set image.model=path/of/a/model
  labelgraph data make my-pictures --out my-data --part 2/8  # then: labelgraph data merge my-data.part-* --out my-data

Encoders compute the features: efficientnet-lite0, clip or open-clip for pictures; bag-of-words, sentence-transformers,
clip or open-clip for captions. The data set records its encoders, so that a model trained on it can be searched by
words or by a picture. Columns are recognised by usual names, such as filename, text and labels; the command prints the
columns that it read. Tags are lists, or texts with one of ; | , between tags; if several occur, --separator says which
ones are separators. Tags that enough items have become labels. Without a column 'split', a random tenth of the items
with a label is the validation split, and another tenth the test split. Items that lack a picture or a caption are kept
for the search, but are in no split. Tags that differ only in capitals, or as singular and plural, are merged. Pictures
that cannot be read are listed. An interrupted command resumes when you run it again; until it is done, the folder
OUT.making holds its features. With --part K/N, the command computes a part of the items and saves it in
OUT.part-K-of-N; several machines can make the parts at the same time.
"""

from __future__ import annotations

import argparse
import errno
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelgraph._core.files import check_writable
from labelgraph._core.names import check_name
from labelgraph.cli.common import Parser, add_command, note, print_json
from labelgraph.cli.inputs import check_file, part_of_words
from labelgraph.encoders.named_encoders import ENCODERS, build_encoder

if TYPE_CHECKING:
    from labelgraph.data import CrossModalData
    from labelgraph.encoders import Encoder, Failure

# Slow modules are imported within functions, so that --help is quick.

COLUMNS = {"file": "image", "caption": "caption", "tags": "tags", "title": "title", "split": "split", "id": "id"}
SHOWN = 10
FEATURES = "image.npy"


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    command = add_command(commands, "make", __doc__ or "", run)
    command.add_argument("source", metavar="FOLDER_OR_TABLE", type=Path, help="folder with captions.csv or "
                         "metadata.csv, a .csv, .tsv or .parquet file, a folder of .tar files of WebDataset, or a "
                         "folder that Hugging Face's save_to_disk saved")  # fmt: skip
    command.add_argument("--out", metavar="OUT", type=Path, required=True, help="data file .npz, or a folder of "
                         "arrays, for data larger than the memory")  # fmt: skip
    for side, default in (("image", "efficientnet-lite0"), ("text", "bag-of-words")):
        command.add_argument(
            f"--{side}-encoder", metavar="NAME", default=default, help=f"encoder of the {side}s (default: {default})"
        )
    command.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], dest="settings",
                         help="settings of the encoders, such as image.framing=drawing text.model=FOLDER")  # fmt: skip
    _add_reading(command)
    command.add_argument("--missing", choices=["keep", "drop", "mark"], default="keep", help="items that lack a "
                         "picture or a caption: keep them for the search, outside the splits; drop them; or mark them "
                         "within the splits, for methods with generators (default: keep)")  # fmt: skip
    command.add_argument("--seed", metavar="N", type=int, default=0, help="random seed of the splits (default: 0)")
    command.add_argument("--batch-size", metavar="N", type=int, default=8, help="pictures per batch (default: 8)")
    command.add_argument("--workers", metavar="N", type=int, default=2, help="threads that read pictures (default: 2)")
    command.add_argument(
        "--device", metavar="NAME", default="cpu", help="device of the encoders, such as cuda (default: cpu)"
    )
    command.add_argument("--part", metavar="K/N", type=part_of_words, help="make only one of N equal parts of the "
                         "items (default: all items)")  # fmt: skip
    command.add_argument("--restart", action="store_true", help="discard the features of an interrupted command")
    command.add_argument("--quiet", action="store_true", help="do not print progress")


def _add_reading(command: Parser) -> None:
    """Add the options of tables, tags and words."""
    command.add_argument("--columns", metavar="NAME=COLUMN", nargs="+", action="extend", default=[],
                         help=f"names of the columns of the table, for any of {', '.join(COLUMNS)}")  # fmt: skip
    command.add_argument("--separator", metavar="TEXT", action="append", help="text between two tags (default: the "
                         "one of ; | , that occurs); may be given several times")  # fmt: skip
    command.add_argument("--tags-as-written", action="store_true", help="do not merge tags that differ only in "
                         "capitals, or as singular and plural")  # fmt: skip
    command.add_argument("--min-tag-count", metavar="N", type=int, default=5, help="number of items that a tag needs "
                         "to become a label (default: 5)")  # fmt: skip
    command.add_argument("--min-word-count", metavar="N", type=int, default=3, help="number of captions that a word "
                         "needs to be in the vocabulary (default: 3)")  # fmt: skip


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    for side in ("image", "text"):
        check_name(f"--{side}-encoder", getattr(options, f"{side}_encoder"), ENCODERS)
    columns = {COLUMNS[name]: column for name, column in _pairs("--columns", options.columns, COLUMNS).items()}
    if not options.source.is_dir():
        check_file(options.source, "table of items")
    if options.part is not None:
        options.out = options.part.beside(options.out)
    is_file = options.out.suffix == ".npz"
    check_writable(options.out, folder=not is_file, name="--out")
    from labelgraph.encoders import data_from_table
    from labelgraph.encoders.build_from_table import table_of

    table = table_of(options.source) if options.source.is_dir() else options.source
    encoders = {side: _encoder(side, options) for side in ("image", "text")}
    failures: list[Failure] = []
    with _resumable(options) as work_folder:
        with _warnings_as_notes():
            data = data_from_table(
                table, **columns, image_encoder=encoders["image"], text_encoder=encoders["text"],
                min_tag_count=options.min_tag_count, min_word_count=options.min_word_count, missing=options.missing,
                seed=options.seed, batch_size=options.batch_size, workers=options.workers,
                separator=options.separator, merge_tags=not options.tags_as_written, out=work_folder / FEATURES,
                progress=not options.quiet, on_failure=failures.append, part=options.part,
            )  # fmt: skip
        _save(data, options.out)
    _report_result(options, data, failures)


@contextmanager
def _resumable(options: argparse.Namespace) -> Iterator[Path]:
    """Create the folder with the features of an unfinished run, and delete it after success."""
    work_folder: Path = options.out.absolute().with_name(options.out.name + ".making")
    if options.restart and work_folder.is_dir():
        _delete(work_folder)
    try:
        yield work_folder
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):  # The features that were kept to resume take space, too.
            _delete(work_folder, quietly=True)
        raise
    except ValueError as error:
        again = "; --restart starts again" if str(error).startswith(str(work_folder)) else ""
        raise ValueError(_as_typed(f"{error}{again}")) from error
    _delete(work_folder, quietly=True)


def _delete(work_folder: Path, quietly: bool = False) -> None:
    """Delete the folder, first the features: if it is interrupted, no features without their description are left."""
    with suppress(OSError) if quietly else nullcontext():
        (work_folder / FEATURES).unlink(missing_ok=True)
    shutil.rmtree(work_folder, ignore_errors=quietly)


@contextmanager
def _warnings_as_notes() -> Iterator[None]:
    """Print each warning in one line, without its place in the code.

    Pillow's warning on large images is not printed: such images are listed as failures.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=UserWarning)
        warnings.filterwarnings("ignore", message="Image size .* exceeds limit")
        warnings.showwarning = lambda message, *_, **__: note(_as_typed(str(message)))
        yield


def _as_typed(message: str) -> str:
    """Replace the names of function arguments in a message by the options of the command line."""
    for option in ("min_tag_count", "min_word_count", "batch_size", "workers", "separator"):
        message = message.replace(f"'{option}'", f"--{option.replace('_', '-')}")
    return message.replace("'merge_tags'", "unless --tags-as-written")


def _encoder(side: str, options: argparse.Namespace) -> Encoder | None:
    """Build an encoder by name; none for a bag of words, which is built from the captions."""
    from labelgraph.train.settings import parse_setting

    name = getattr(options, f"{side}_encoder")
    fitting = [each for each, encoder in ENCODERS.items() if getattr(encoder, "side", side) == side]
    check_name(f"--{side}-encoder", name, fitting)
    settings = _pairs("--set", options.settings)
    if strange := [key for key in settings if key.partition(".")[0] not in ("image", "text")]:
        raise ValueError(f"'--set' must have keys such as image.framing or text.model (got {strange[0]!r})")
    own = {
        key.partition(".")[2]: parse_setting(f"{key}={value}")[1]
        for key, value in settings.items()
        if key.startswith(f"{side}.")
    }
    if name == "bag-of-words":
        if own:
            raise ValueError(f"'--set' has no text settings for bag-of-words (got 'text.{next(iter(own))}')")
        return None
    both = {} if hasattr(ENCODERS[name], "side") else {"side": side}
    download = bool(own.pop("allow_download", False))
    return build_encoder({"encoder": name, **both, **own}, options.device, allow_download=download)


def _pairs(argument: str, entries: Sequence[str], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Parse entries ``key=value``."""
    pairs = {}
    for entry in entries:
        key, equals, value = entry.partition("=")
        if not equals:
            raise ValueError(f"'{argument}' must be key=value (got {entry!r})")
        if known is not None:
            check_name(argument, key, known)
        pairs[key] = value
    return pairs


def _save(data: CrossModalData, out: Path) -> None:
    from labelgraph.data import save_folder, save_npz

    out.parent.mkdir(parents=True, exist_ok=True)
    save = save_npz if out.suffix == ".npz" else save_folder
    save(data, out)


def _report_result(options: argparse.Namespace, data: CrossModalData, failures: Sequence[Failure]) -> None:
    """Print the contents of the new data set, and the items that were left out."""
    if options.json:
        summary: dict[str, Any] = {
            "data": str(options.out),
            "items": len(data),
            "images": int(data.present[:, 0].sum()),
            "texts": int(data.present[:, 1].sum()),
            "image_channels": data.image_channels,
            "text_channels": data.text_channels,
            "labels": list(data.label_names),
            "splits": {name: len(index) for name, index in data.splits.items()},
            "failures": [{"item": failure.item, "reason": failure.reason} for failure in failures],
        }
        print_json(summary)
        return
    lost = "left out" if options.missing == "drop" else "without its picture"
    if failures and options.missing == "keep":
        one = len(failures) == 1
        note(f"{len(failures)} item{' is' if one else 's are'} in no split: no picture that can be read")
    for failure in failures[:SHOWN]:
        note(f"{lost}: {failure.reason}")
    if len(failures) > SHOWN:
        note(f"{lost}: {len(failures) - SHOWN} more, which --json lists")
    names = ", ".join(data.label_names[:SHOWN]) + (", ..." if data.num_labels > SHOWN else "")
    usage = f"To train on it: labelgraph train {options.out} --out MODEL"
    if options.part is not None:
        usage = "When all parts are made, join them: labelgraph data merge PARTS --out OUT"
    print(f"{data}\nlabels: {names}\nsaved in {options.out}. {usage}")
