"""Make a data set from pictures with captions and tags.

Examples:
  labelgraph data make my-pictures --out my-data.npz         # a folder with captions.csv: file, caption, tags
  labelgraph data make items.csv --out my-data --columns file=picture caption=words split=part --separator '|'
  labelgraph data make my-pictures --out my-data.npz --text-encoder sentence-transformers
  labelgraph data make my-pictures --out my-data.npz --image-encoder clip --set image.model=path/of/a/model

Encoders compute the features: efficientnet-lite0, clip or open-clip for pictures; bag-of-words, sentence-transformers,
clip or open-clip for captions. The data set records its encoders, so that a model trained on it can be searched by
words or by a picture. Columns are recognised by usual names, such as filename, text and labels, and the command prints
the columns that it read. Tags are lists, or texts separated by one of ; | , and become labels if enough items have
them. Without a column 'split', a random tenth of the items is the validation split, and another tenth the test split.
Pictures that cannot be read are listed, and left out with their captions. An interrupted command resumes when you give
it again; until it is done, OUT.making holds its features.
"""

from __future__ import annotations

import argparse
import errno
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelgraph._core.files import check_writable
from labelgraph._core.names import check_name
from labelgraph.cli.common import Parser, add_command, note, print_json
from labelgraph.cli.given_data import check_file
from labelgraph.encoders.named_encoders import ENCODERS, build_encoder

if TYPE_CHECKING:
    from labelgraph.data import CrossModalData
    from labelgraph.encoders import Encoder, Failure

# What is heavy is imported within functions: help is quick then.

COLUMNS = {"file": "image", "caption": "caption", "tags": "tags", "title": "title", "split": "split", "id": "id"}
SHOWN = 10


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    command = add_command(commands, "make", __doc__ or "", run)
    command.add_argument("source", metavar="FOLDER_OR_TABLE", type=Path, help="folder with captions.csv or "
                         "metadata.csv, or a .csv, .tsv or .parquet")  # fmt: skip
    command.add_argument("--out", metavar="OUT", type=Path, required=True, help="data file .npz, or a folder, which is "
                         "read from the disk piece by piece")  # fmt: skip
    for side, default in (("image", "efficientnet-lite0"), ("text", "bag-of-words")):
        command.add_argument(
            f"--{side}-encoder", metavar="NAME", default=default, help=f"encoder of the {side}s (default: {default})"
        )
    command.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], dest="settings",
                         help="settings of the encoders, such as image.framing=drawing text.model=FOLDER")  # fmt: skip
    command.add_argument("--columns", metavar="NAME=COLUMN", nargs="+", action="extend", default=[],
                         help=f"columns of the table, if they have other names than {', '.join(COLUMNS)}")  # fmt: skip
    command.add_argument("--separator", metavar="TEXT", help="what separates tags (default: the one of ; | , that "
                         "occurs)")  # fmt: skip
    command.add_argument("--min-tag-count", metavar="N", type=int, default=5, help="number of items that a tag needs "
                         "to become a label (default: 5)")  # fmt: skip
    command.add_argument("--min-word-count", metavar="N", type=int, default=3, help="number of captions that a word "
                         "needs to be in the vocabulary (default: 3)")  # fmt: skip
    command.add_argument("--missing", choices=["mark", "drop"], default="drop", help="items without a picture or a "
                         "caption: drop them, or mark them, for methods with generators (default: drop)")  # fmt: skip
    command.add_argument("--seed", metavar="N", type=int, default=0, help="random seed of the splits (default: 0)")
    command.add_argument("--batch-size", metavar="N", type=int, default=8, help="pictures per batch (default: 8)")
    command.add_argument("--workers", metavar="N", type=int, default=2, help="threads that read pictures (default: 2)")
    command.add_argument(
        "--device", metavar="NAME", default="cpu", help="device of the encoders, such as cuda (default: cpu)"
    )
    command.add_argument("--restart", action="store_true", help="discard the features of an interrupted command")
    command.add_argument("--quiet", action="store_true", help="do not print progress")


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    for side in ("image", "text"):
        check_name(f"--{side}-encoder", getattr(options, f"{side}_encoder"), ENCODERS)
    given = {COLUMNS[name]: column for name, column in _pairs("--columns", options.columns, COLUMNS).items()}
    if not options.source.is_dir():
        check_file(options.source, "table of items")
    is_file = options.out.suffix == ".npz"
    check_writable(options.out, folder=not is_file, name="--out")
    from labelgraph.encoders import data_from_table
    from labelgraph.encoders.build_from_table import table_of

    table = table_of(options.source) if options.source.is_dir() else options.source
    encoders = {side: _encoder(side, options) for side in ("image", "text")}
    failures: list[Failure] = []
    with _resumable(options) as making:
        with _warnings_as_notes():
            data = data_from_table(
                table, **given, image_encoder=encoders["image"], text_encoder=encoders["text"],
                min_tag_count=options.min_tag_count, min_word_count=options.min_word_count, missing=options.missing,
                seed=options.seed, batch_size=options.batch_size, workers=options.workers,
                separator=options.separator, out=making / "image.npy", progress=not options.quiet,
                on_failure=failures.append,
            )  # fmt: skip
        _save(data, options.out)
    _tell(options, data, failures)


@contextmanager
def _resumable(options: argparse.Namespace) -> Iterator[Path]:
    """The folder of what an interrupted run has done, which is deleted in the end."""
    making: Path = options.out.absolute().with_name(options.out.name + ".making")
    if options.restart and making.is_dir():
        shutil.rmtree(making)
    try:
        yield making
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):  # What was kept to resume takes room, too.
            shutil.rmtree(making, ignore_errors=True)
        raise
    except ValueError as error:
        again = "; --restart begins anew" if str(error).startswith(str(making)) else ""
        raise ValueError(_as_typed(f"{error}{again}")) from error
    shutil.rmtree(making, ignore_errors=True)


@contextmanager
def _warnings_as_notes() -> Iterator[None]:
    """Tell warnings in a line each, without the place in the code; that of Pillow on sizes becomes a failure anyway."""
    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=UserWarning)
        warnings.filterwarnings("ignore", message="Image size .* exceeds limit")
        warnings.showwarning = lambda message, *_, **__: note(_as_typed(str(message)))
        yield


def _as_typed(message: str) -> str:
    """A message with options as they are typed, in place of the arguments of functions."""
    for option in ("min_tag_count", "min_word_count", "batch_size", "workers", "separator"):
        message = message.replace(f"'{option}'", f"--{option.replace('_', '-')}")
    return message


def _encoder(side: str, options: argparse.Namespace) -> Encoder | None:
    """An encoder by name; none for a bag of words, which is made of the captions."""
    from labelgraph.train.settings import parse_setting

    name = getattr(options, f"{side}_encoder")
    fitting = [each for each, encoder in ENCODERS.items() if getattr(encoder, "side", side) == side]
    check_name(f"--{side}-encoder", name, fitting)
    given = _pairs("--set", options.settings)
    if strange := [key for key in given if key.partition(".")[0] not in ("image", "text")]:
        raise ValueError(f"'--set' must have keys such as image.framing or text.model (got {strange[0]!r})")
    own = {
        key.partition(".")[2]: parse_setting(f"{key}={value}")[1]
        for key, value in given.items()
        if key.startswith(f"{side}.")
    }
    if name == "bag-of-words":
        if own:
            raise ValueError(f"'--set' has nothing to set of a bag of words (got 'text.{next(iter(own))}')")
        return None
    both = {} if hasattr(ENCODERS[name], "side") else {"side": side}
    download = bool(own.pop("allow_download", False))
    return build_encoder({"encoder": name, **both, **own}, options.device, allow_download=download)


def _pairs(argument: str, given: Sequence[str], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """``key=value``, several."""
    pairs = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not equals:
            raise ValueError(f"'{argument}' must be key=value (got {each!r})")
        if known is not None:
            check_name(argument, key, known)
        pairs[key] = value
    return pairs


def _save(data: CrossModalData, out: Path) -> None:
    from labelgraph.data import save_folder, save_npz

    out.parent.mkdir(parents=True, exist_ok=True)
    save = save_npz if out.suffix == ".npz" else save_folder
    save(data, out)


def _tell(options: argparse.Namespace, data: CrossModalData, failures: Sequence[Failure]) -> None:
    """Print what was made."""
    if options.json:
        made: dict[str, Any] = {
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
        print_json(made)
        return
    for failure in failures[:SHOWN]:
        note(f"left out: {failure.reason}")
    if len(failures) > SHOWN:
        note(f"left out: {len(failures) - SHOWN} more, which --json lists")
    names = ", ".join(data.label_names[:SHOWN]) + (", ..." if data.num_labels > SHOWN else "")
    print(f"{data}\nlabels: {names}\nsaved in {options.out}; labelgraph train {options.out} --out MODEL trains on it")
