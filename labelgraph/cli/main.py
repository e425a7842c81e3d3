"""Label graphs that guide image-text retrieval: from a file of features to answers.

Examples:
  labelgraph train my-data.npz --out my-model
  labelgraph evaluate my-model my-data.npz
  labelgraph index my-model my-data.npz --out my-index
  labelgraph search my-index --data my-data.npz --text-id 42      # pictures for the text of item 42
  labelgraph graph my-data.npz
  labelgraph data check my-data.npz

Each has a --help with more of them. With --json, what a command found is one JSON object on standard output. An
error is one line, and exit status 2; LABELGRAPH_TRACEBACK=1 shows where it comes from.
"""

from __future__ import annotations

from collections.abc import Sequence

import labelgraph
from labelgraph.cli import data, evaluate, graph, index, search, train
from labelgraph.cli.errors import guarded
from labelgraph.cli.names import did_you_mean
from labelgraph.cli.parser import Parser, describe

# Each has `add_parser(commands)`, which sets the default `run`; a further command is a file and a name here.
COMMANDS = (train, evaluate, index, search, graph, data)


def parser() -> Parser:
    """The command line, with all its commands."""
    command = Parser(prog="labelgraph", **describe(__doc__ or ""))
    command.add_argument("--version", action="version", version=f"labelgraph {labelgraph.__version__}")
    commands = command.add_subparsers(metavar="COMMAND", title="commands", required=True, parser_class=Parser)
    for module in COMMANDS:
        module.add_parser(commands)
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit status."""
    return guarded(lambda: _run(arguments), "give the same command again")


def _run(arguments: Sequence[str] | None) -> int:
    options, unknown = parser().parse_known_args(arguments)
    if unknown:
        own: Parser = options.parser
        own.error(f"unknown argument {unknown[0]!r}{did_you_mean(unknown[0].partition('=')[0], own.option_names())}")
    return options.run(options) or 0
