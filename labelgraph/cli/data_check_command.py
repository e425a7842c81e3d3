"""Check data: what a set holds, and what would spoil a comparison on it.

Examples:
  labelgraph data check my-data.npz
  labelgraph data check my-data.npz --json > card.json

Exit status: 0; 1 if something that is searched with was learned from (items, or images, of the training or validation
items among the test items or queries); 2 for an error.
"""

from __future__ import annotations

import argparse

from labelgraph.cli.common import Parser, add_command, print_json
from labelgraph.cli.given_data import DATA_HELP, load


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    check = add_command(commands, "check", __doc__ or "", run)
    check.add_argument("data", metavar="DATA", help=DATA_HELP)


def run(options: argparse.Namespace) -> int:
    """Print the data card; gives the exit status, 1 if there are leaks."""
    from labelgraph.data import data_card  # Here, so that --help is quick.

    card = data_card(load(options.data))
    if options.json:
        print_json(card.as_dict())
    else:
        print(card)
    return 1 if card.leaks else 0
