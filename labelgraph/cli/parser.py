"""Command lines with errors of one line, and the options that several commands share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Any, NoReturn

from labelgraph.cli.names import did_you_mean


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, with the nearest name where one is unknown."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Tell what is wrong, and stop."""
        choice = re.fullmatch(r"argument (.+): invalid choice: '(.*)' \(choose from (.*)\)", message)
        if choice:
            what, given, listed = choice.groups()
            known = [name.strip("'") for name in listed.split(", ")]
            message = f"{what} must be one of {', '.join(known)} (got {given!r}){did_you_mean(given, known)}"
        self.exit(2, f"error: {message}; {self.prog} --help tells more\n")

    def option_names(self) -> list[str]:
        """The long options."""
        return sorted(set(re.findall(r"--[a-z][a-z-]*", self.format_usage())))


def describe(documentation: str) -> dict[str, Any]:
    """The help of a command, from the documentation of its module: the first line, and what is below it."""
    summary, _, rest = documentation.partition("\n\n")
    return {"description": summary, "epilog": rest, "formatter_class": argparse.RawDescriptionHelpFormatter}


def add_command(
    commands: argparse._SubParsersAction[Parser],
    name: str,
    documentation: str,
    run: Callable[[argparse.Namespace], int | None],
) -> Parser:
    """Add a command with its help and the option ``--json``."""
    help_ = describe(documentation)
    command = commands.add_parser(name, help=help_["description"].rstrip(".").lower(), **help_)
    command.add_argument("--json", action="store_true", help="print one JSON object, and nothing else, to standard "
                         "output")  # fmt: skip
    command.set_defaults(run=run, parser=command)
    return command
