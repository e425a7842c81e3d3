"""Image-text search guided by label graphs: train a model, measure it, and search with it.

Examples:
  labelgraph train my-data.npz --out my-model
  labelgraph evaluate my-model my-data.npz
  labelgraph index my-model my-data.npz --out my-index
  labelgraph search my-index --text "a dog on the beach"
  labelgraph app my-index --data my-data.npz            # a page to search, in the browser
  labelgraph push my-model user/model                   # to the Hugging Face Hub, with a model card
  labelgraph graph my-data.npz                          # which labels occur together
  labelgraph data check my-data.npz
  labelgraph data make my-pictures --out my-data.npz    # from pictures with captions and tags

labelgraph COMMAND --help shows the options of a command, with examples. With --json, a command prints its result as
one JSON object. An error is one line, with exit status 2. To see its traceback, set LABELGRAPH_TRACEBACK=1.
"""

from __future__ import annotations

import argparse
import ast
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from labelgraph.cli.common import Parser, describe, guarded, in_list
from labelgraph.version import __version__

# Each command is the module NAME_command.py in this folder. Its `add_parser(commands)` adds the parser and sets `run`.
COMMANDS = ("train", "evaluate", "index", "search", "app", "label", "push", "graph", "data")
HUGE_PAGES = "THP_MEM_ALLOC_ENABLE"  # PyTorch reads it: embedding many items takes a tenth less time with huge pages.


def parser(chosen: str | None) -> Parser:
    """Return the parser with the options of one command; the modules of the other commands are not imported."""
    command = Parser(prog="labelgraph", **describe(__doc__ or ""))
    command.add_argument("--version", action="version", version=f"labelgraph {__version__}")
    commands = command.add_subparsers(metavar="COMMAND", title="commands", required=True, parser_class=Parser)
    for name in COMMANDS:
        if name == chosen:
            import_module(f"labelgraph.cli.{name}_command").add_parser(commands)
        else:
            _add_name(commands, name)
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    Args:
        arguments: The words of the command line; defaults to `sys.argv[1:]`.
    """
    if arguments is None:
        os.environ.setdefault(HUGE_PAGES, "1")
    return guarded(lambda: _run(arguments), "give the same command again", final=arguments is None)


def _add_name(commands: argparse._SubParsersAction[Parser], name: str) -> None:
    """List a command in the help, with the first line of its file."""
    content = Path(__file__).with_name(f"{name}_command.py").read_text(encoding="utf-8")
    documentation = ast.get_docstring(ast.parse(content)) or ""
    commands.add_parser(name, help=in_list(documentation))


def _run(arguments: Sequence[str] | None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = parser(next((word for word in words if not word.startswith("-")), None))
    if not words:
        command.print_help()
        return 0
    options, unknown = command.parse_known_args(words)
    if unknown:
        own: Parser = options.parser
        own.error(own.unknown(unknown[0]))
    return options.run(options) or 0
