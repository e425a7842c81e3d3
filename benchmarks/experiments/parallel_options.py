"""Options of the commands that train in parallel. This module does not import PyTorch, so that help is fast."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labelgraph._core.checked_config import choices, field_types
from labelgraph.cli.common import Parser, describe
from labelgraph.methods.configs import LabelGraphConfig

# The settings that an ablation changes, by factor, and their values.
FACTORS: dict[str, tuple[str, list[Any]]] = {
    "hops": ("num_layers", [0, 1, 2, 3, 5]),
    "adjacency": ("adjacency", list(choices(field_types(LabelGraphConfig)["adjacency"]))),
    "threshold": ("threshold", [0.2, 0.4, 0.6]),
    "embedding": ("label_embedding", ["learned", "pmi-svd", "one-hot"]),
}


def parallel_parser(module: str, documentation: str, out: str, seeds: Sequence[int]) -> argparse.ArgumentParser:
    """The options of commands that train in parallel; a command adds its own.

    Args:
        module: Name of the module.
        documentation: Docstring of the module: a sentence, an empty line, and examples.
        out: Name of the new folder in the help text.
        seeds: Default seeds.
    """
    command = Parser(prog=f"python -m {module}", **describe(documentation))
    command.add_argument("--dataset", metavar="NAME", default="openclipart",
                         help="data set: a name, or the path of a file or folder (default: openclipart)")  # fmt: skip
    command.add_argument("--seeds", metavar="N", type=int, nargs="+", default=list(seeds),
                         help=f"random seeds, one training each (default: {' '.join(map(str, seeds))})")  # fmt: skip
    command.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], dest="settings",
                         help="settings for all trainings, as in benchmarks.run")  # fmt: skip
    command.add_argument("--jobs", metavar="N", type=int,
                         help="number of parallel trainings (default: one for each core; 1 on a GPU)")  # fmt: skip
    command.add_argument("--out", metavar="DIR", type=Path, help=f"new folder (default: runs/{out}-TIME)")
    command.add_argument("--resume", metavar="DIR", type=Path, help="resume an interrupted run")
    return command


def check_workers(workers: int | None) -> None:
    """Refuse fewer than one parallel training."""
    if workers is not None and workers < 1:
        raise ValueError(f"'--jobs' must be at least 1 (got {workers})")
