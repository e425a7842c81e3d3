"""What commands of many trainings have in common on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.jobs import default_workers


def parallel_parser(module: str, documentation: str, out: str, seeds: Sequence[int]) -> argparse.ArgumentParser:
    """A command line of trainings in parallel, to which a command adds what it asks for.

    Args:
        module: Its name.
        documentation: Of the module: a sentence, and examples after an empty line.
        out: How a new folder is called, in words.
        seeds: By default.
    """
    description, _, examples = documentation.partition("\n\n")
    command = argparse.ArgumentParser(
        prog=f"python -m {module}", description=description, epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    command.add_argument("--dataset", metavar="NAME", default="openclipart",
                         help="a name, or the path of a file or folder (default: openclipart)")  # fmt: skip
    command.add_argument("--seeds", metavar="N", type=int, nargs="+", default=list(seeds),
                         help=f"one training each (default: {' '.join(map(str, seeds))})")  # fmt: skip
    command.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], dest="settings",
                         help="settings for all trainings, as of benchmarks.run")  # fmt: skip
    command.add_argument("--jobs", metavar="N", type=int, default=default_workers(),
                         help=f"trainings at a time, sharing the cores (here: {default_workers()})")  # fmt: skip
    command.add_argument("--out", metavar="DIR", type=Path, help=f"new folder (default: runs/{out}-TIME)")
    command.add_argument("--resume", metavar="DIR", type=Path, help="go on with an interrupted run")
    return command
