"""Look at data: what a set holds, and what would spoil a comparison on it.

Examples:
  labelgraph data check my-data.npz
  labelgraph data check my-data.npz --json > card.json

Exit status: 0; 1 if something that is searched with was learned from (items, or images, of the training or validation
items among the test items or queries); 2 for an error.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from labelgraph.data import data_card, load_dataset


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``data`` and its commands."""
    summary, _, rest = (__doc__ or "").partition("\n\n")
    shown: dict[str, Any] = {
        "description": summary,
        "epilog": rest,
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }
    own = commands.add_parser("data", help="look at data", **shown)
    below = own.add_subparsers(metavar="COMMAND", title="commands", required=True)
    check = below.add_parser("check", help="count what a set holds, and warn of leaks", **shown)
    check.add_argument("data", metavar="FILE", help="path of a data file, or name of a bundled set")
    check.add_argument(
        "--json", action="store_true", help="print one JSON object, and nothing else, to standard output"
    )
    check.set_defaults(run=run, parser=check)


def run(options: argparse.Namespace) -> int:
    """Print the data card; gives the exit status, 1 if there are leaks."""
    card = data_card(load_dataset(options.data))
    print(json.dumps(card.as_dict(), indent=1, ensure_ascii=False) if options.json else card)
    return 1 if card.leaks else 0
