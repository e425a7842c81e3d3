"""Make a data set from pictures with captions and tags, merge its parts, or check one.

Examples:
  labelgraph data make my-pictures --out my-data.npz
  labelgraph data merge my-data.part-*-of-8 --out my-data
  labelgraph data check my-data.npz

labelgraph data make --help shows the options of a command; all have --json for scripts.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from labelgraph import data
from labelgraph._core.files import check_writable
from labelgraph.cli import data_make_command as data_make
from labelgraph.cli.common import Parser, add_command, describe, print_json
from labelgraph.cli.inputs import DATA_HELP, load

CHECK = """Check a data set: print its contents, and find what would make an evaluation on it unfair.

Examples:
  labelgraph data check my-data.npz
  labelgraph data check my-data.npz --json > card.json

Exit status: 0 if nothing is wrong; 1 if a test item or query is also a training or validation item, or has the same
image as one; 2 for an error.
"""


MERGE = """Merge the parts of a data set that `labelgraph data make --part` made.

Examples:
  labelgraph data merge my-data.part-*-of-8 --out my-data
  labelgraph data merge my-data.part-*-of-8.npz --out my-data.npz

All parts must be there, with the same encoders, vocabulary and label names.
"""


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command, with the commands `make`, `merge` and `check` below it."""
    help_ = describe(__doc__ or "")
    own = commands.add_parser("data", help=help_["description"].rstrip(".").lower(), **help_)
    below = own.add_subparsers(metavar="COMMAND", title="commands", required=True, parser_class=Parser)
    data_make.add_parser(below)
    merge = add_command(below, "merge", MERGE, run_merge)
    merge.add_argument("parts", metavar="PART", type=Path, nargs="+", help="all parts, in any order")
    merge.add_argument("--out", metavar="OUT", type=Path, required=True, help="data file .npz, or a folder of arrays")
    check = add_command(below, "check", CHECK, run_check)
    check.add_argument("data", metavar="DATA", help=DATA_HELP)


def run_merge(options: argparse.Namespace) -> None:
    """Merge the parts, and print the contents of the data set."""
    check_writable(options.out, folder=options.out.suffix != ".npz", name="--out")
    data.merge_parts(options.parts, options.out)
    merged = load(str(options.out))
    splits = {name: len(index) for name, index in merged.splits.items()}
    if options.json:
        print_json({"data": str(options.out), "parts": len(options.parts), "items": len(merged), "splits": splits})
    else:
        print(f"{merged}\nsaved in {options.out}. To train on it: labelgraph train {options.out} --out MODEL")


def run_check(options: argparse.Namespace) -> int:
    """Print the data card, and return the exit status: 1 if training or validation items are also in the test data."""
    pairs = load(options.data)  # First, so that a missing file is reported before PyTorch is imported.
    card = data.data_card(pairs)
    if options.json:
        print_json(card.as_dict())
    else:
        print(card)
    return 1 if card.leaks else 0
