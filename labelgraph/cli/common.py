"""Code that all commands share: the argument parser, output, and errors in one line."""

from __future__ import annotations

import argparse
import errno
import gc
import io
import json
import math
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from labelgraph._core.names import did_you_mean
from labelgraph._core.signals import run_command


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line; the error on an unknown name suggests the nearest known name."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)
        self._words: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse arguments as argparse does, and keep them for `error`."""
        self._words = sys.argv[1:] if args is None else args
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Print the error in one line, and exit with status 2."""
        # Of a misspelt option, argparse would only say that the right one is missing, or take its value for another
        # argument. The options of a subcommand are not known here.
        unknown = [word for word in self._words if re.match("--[a-z]", word) and not self._knows(word)]
        if unknown and (
            message.endswith("required")
            or "are required" in message
            or ("invalid choice" in message and self._subparsers is None)
        ):
            message = self.unknown(unknown[0])
        choice = re.fullmatch(r"argument (.+): invalid choice: '(.*)' \(choose from (.*)\)", message)
        if choice:
            argument, value, choices = choice.groups()
            known = [name.strip("'") for name in choices.split(", ")]
            message = f"{argument} must be one of {', '.join(known)} (got {value!r}){did_you_mean(value, known)}"
        self.exit(2, f"error: {message}; {self.prog} --help tells more\n")

    def unknown(self, word: str) -> str:
        """Return the message on an unknown argument."""
        return f"unknown argument {word!r}{did_you_mean(word.partition('=')[0], self.option_names())}"

    def _knows(self, word: str) -> bool:
        return word.partition("=")[0] in self._option_string_actions

    def option_names(self) -> list[str]:
        """The names of the long options."""
        return sorted(set(re.findall(r"--[a-z][a-z-]*", self.format_usage())))


def describe(documentation: str) -> dict[str, Any]:
    """Return the help of a command: the first line of its module's docstring, then the other paragraphs.

    Paragraphs are wrapped to the width of the terminal. Paragraphs with indented lines, such as examples, are not.
    """
    summary, *rest = documentation.strip().split("\n\n")
    width = min(shutil.get_terminal_size().columns, 120) - 2  # As argparse does.
    filled = [text if "\n  " in text else textwrap.fill(" ".join(text.split()), width) for text in rest]
    return {
        "description": summary,
        "epilog": "\n\n".join(filled),
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }


def in_list(documentation: str) -> str:
    """Return the first line of a command's help, as a list of commands shows it."""
    summary: str = describe(documentation)["description"]
    return summary[0].lower() + summary[1:].rstrip(".")


def add_command(
    commands: argparse._SubParsersAction[Parser],
    name: str,
    documentation: str,
    run: Callable[[argparse.Namespace], int | None],
) -> Parser:
    """Add a command with its help and the option ``--json``."""
    help_ = describe(documentation)
    command = commands.add_parser(name, help=in_list(documentation), **help_)
    command.add_argument("--json", action="store_true", help="print one JSON object, and nothing else, to standard "
                         "output")  # fmt: skip
    command.set_defaults(run=run, parser=command)
    return command


def note(text: str) -> None:
    """Print a line that is not part of the result, to standard error."""
    print(text, file=sys.stderr, flush=True)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the singular or the plural.

    Example:
        >>> from labelgraph.cli.common import counted
        >>> counted(1, "label"), counted(2000, "label")
        ('1 label', '2,000 labels')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def fitted_table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return a Markdown table, see `markdown_table`; on a terminal, the widest column is shortened so that it fits."""
    from labelgraph.report import markdown_table

    cells = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    excess = sum(widths) + 3 * len(widths) + 1 - shutil.get_terminal_size().columns
    if sys.stdout.isatty() and excess > 0:
        widest = widths.index(max(widths))
        room = max(widths[widest] - excess, len(header[widest]), 8)
        for row in cells:
            row[widest] = row[widest] if len(row[widest]) <= room else f"{row[widest][: room - 3]}..."
    return markdown_table(header, cells, left)


def print_json(content: dict[str, Any]) -> None:
    """Print one JSON object; JSON has no NaN and no infinity, so that such numbers become null."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    print(json.dumps(_finite(content), indent=1, ensure_ascii=not unicode, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


FAILED, BROKEN_PIPE = 2, 141
# Package -> the extra of labelgraph that installs it.
EXTRAS = {
    "PIL": "images", "faiss": "index", "lancedb": "lance", "lightning": "train", "markdown_it": "viz",
    "matplotlib": "viz", "milvus_lite": "milvus", "pymilvus": "milvus", "safetensors": "train", "sklearn": "viz",
    "torchmetrics": "train", "tqdm": "train",
}  # fmt: skip


def guarded(run: Callable[[], int | None], go_on: str, *, final: bool = False) -> int:
    """Run a command and return its exit status: 2 for an error, 130 for Ctrl-C, 143 for SIGTERM, 141 for a closed pipe.

    Errors and signals are one line on standard error. If ``LABELGRAPH_TRACEBACK`` is set, the error is raised.

    Args:
        run: The command; it may return an exit status.
        go_on: Advice to the user after an interruption; `advising` within the command overrides it.
        final: Whether the process ends with the command.
    """
    status = run_command(lambda: _one_line(run, go_on), go_on, final=final)
    if final:
        gc.freeze()  # Otherwise, Python looks for garbage in all of PyTorch when it ends, which takes half a second.
    return status


def escape_output() -> None:
    """Print characters that the encoding of the output lacks as escapes, so that they are no error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _one_line(run: Callable[[], int | None], go_on: str) -> int:
    if sys.stdout is None:  # A file that is opened now could take the place of the closed output.
        print("error: standard output is closed; send it to /dev/null to drop the output", file=sys.stderr)
        return FAILED
    escape_output()
    try:
        try:
            status = run()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # The reader closed the pipe, as `head` does.
        _drop_output()
        return BROKEN_PIPE
    except (ValueError, OSError, RuntimeError, ImportError, MemoryError) as error:
        if os.environ.get("LABELGRAPH_TRACEBACK"):
            raise
        print(f"error: {explain(error, go_on)}", file=sys.stderr)
        _drop_output()
        return FAILED
    return status or 0


def explain(error: Exception, go_on: str = "") -> str:
    """Return an error in one line, with advice if there is any: on a full disk, to make space and ``go_on``.

    Example:
        >>> from labelgraph.cli.common import explain
        >>> explain(FileNotFoundError(2, "No such file or directory", "my-data.npz"))
        'my-data.npz: No such file or directory'
    """
    text = " ".join(str(error).split())
    if isinstance(error, ModuleNotFoundError) and (root := (error.name or "").partition(".")[0]) in EXTRAS:
        return f'{root} is not installed; install it by pip install "labelgraph[{EXTRAS[root]}]"'
    if isinstance(error, MemoryError):
        return f"not enough memory ({text or 'out of memory'})"
    if isinstance(error, OSError) and error.strerror and error.filename:
        text = f"{error.filename}: {error.strerror}"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{text}; make space and {go_on or 'give the same command again'}"
    return text or type(error).__name__


def _drop_output() -> None:
    """Drop output that could not be written, so that Python does not try again when it exits."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
