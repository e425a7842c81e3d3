"""Make a data set from pictures with captions and tags, or check one.

Examples:
  labelgraph data make my-pictures --out my-data.npz
  labelgraph data check my-data.npz

labelgraph data make --help and labelgraph data check --help show their options; both have --json for scripts.
"""

from __future__ import annotations

import argparse

from labelgraph import data
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


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command, with the commands `make` and `check` below it."""
    help_ = describe(__doc__ or "")
    own = commands.add_parser("data", help=help_["description"].rstrip(".").lower(), **help_)
    below = own.add_subparsers(metavar="COMMAND", title="commands", required=True, parser_class=Parser)
    data_make.add_parser(below)
    check = add_command(below, "check", CHECK, run_check)
    check.add_argument("data", metavar="DATA", help=DATA_HELP)


def run_check(options: argparse.Namespace) -> int:
    """Print the data card, and return the exit status: 1 if training or validation items are also in the test data."""
    pairs = load(options.data)  # First, so that a missing file is reported before PyTorch is imported.
    card = data.data_card(pairs)
    if options.json:
        print_json(card.as_dict())
    else:
        print(card)
    return 1 if card.leaks else 0
