"""Make data of pictures with captions and tags, and check what a set holds.

Examples:
  labelgraph data make my-pictures --out my-data.npz
  labelgraph data check my-data.npz

Each has a --help with more of them, and --json for scripts.
"""

from __future__ import annotations

import argparse

from labelgraph.cli import data_check_command as data_check
from labelgraph.cli import data_make_command as data_make
from labelgraph.cli.common import Parser, describe


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command and what is below it."""
    help_ = describe(__doc__ or "")
    own = commands.add_parser("data", help=help_["description"].rstrip(".").lower(), **help_)
    below = own.add_subparsers(metavar="COMMAND", title="commands", required=True, parser_class=Parser)
    for module in (data_make, data_check):
        module.add_parser(below)
