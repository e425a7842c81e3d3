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
from labelgraph.cli.given_data import DATA_HELP, load

CHECK = """Check a data set: what it holds, and what would make an evaluation on it unfair.

Examples:
  labelgraph data check my-data.npz
  labelgraph data check my-data.npz --json > card.json

Exit status: 0 if nothing is wrong; 1 if test items or queries are also training or validation items, or have the same
image as one; 2 for an error.
"""


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command with its two commands."""
    help_ = describe(__doc__ or "")
    own = commands.add_parser("data", help=help_["description"].rstrip(".").lower(), **help_)
    below = own.add_subparsers(metavar="COMMAND", title="commands", required=True, parser_class=Parser)
    data_make.add_parser(below)
    check = add_command(below, "check", CHECK, run_check)
    check.add_argument("data", metavar="DATA", help=DATA_HELP)


def run_check(options: argparse.Namespace) -> int:
    """Print the data card, and return the exit status: 1 if items leak from the training to the evaluation."""
    pairs = load(options.data)  # First, so that a missing file is told before PyTorch is imported.
    card = data.data_card(pairs)
    if options.json:
        print_json(card.as_dict())
    else:
        print(card)
    return 1 if card.leaks else 0
