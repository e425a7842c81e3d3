"""Write a synthetic data set with the size and the label statistics of a published one, or with many tags.

Examples:
  python -m benchmarks.synthetic mirflickr --out data/synthetic-mirflickr
  python -m benchmarks.synthetic nus-wide-tc21 --items 10000 --out data/synthetic-small
  python -m benchmarks.synthetic tags --labels 100000 --items 1000000 --out data/tags
  python -m benchmarks.run --dataset data/synthetic-mirflickr

Use it to measure time and memory. Quality on it says nothing about the published set.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.synthetic.sets import BLOCK, SETS
from labelgraph.cli.common import Parser, describe, guarded
from labelgraph.data import SPLITS

TAGS = "tags"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = Parser(prog="python -m benchmarks.synthetic", **describe(__doc__ or ""))
    names = [*SETS, TAGS]
    command.add_argument("name", choices=names, help=f"one of: {', '.join(names)}", metavar="NAME")
    command.add_argument("--out", metavar="DIR", type=Path, required=True, help="new folder")
    command.add_argument("--items", metavar="N", type=int,
                         help="number of items (default: as published; 1,000,000 of tags)")  # fmt: skip
    command.add_argument("--labels", metavar="C", type=int, help="number of labels of tags (default: 100,000)")
    command.add_argument("--seed", metavar="N", type=int, default=0, help="random seed (default: 0)")
    command.add_argument("--split", metavar="NAME", choices=list(SPLITS),
                         help=f"way to split, one of: {', '.join(SPLITS)} (default: dcmh); tags are split at "
                         "random")  # fmt: skip
    command.add_argument("--block", metavar="N", type=int,
                         help=f"number of items in memory (default: {BLOCK:,}; of tags, 16,384); it changes no "
                         "item")  # fmt: skip
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    command = parser()
    options = command.parse_args(arguments)
    for option in ("labels",) if options.name != TAGS else ("split",):
        if getattr(options, option) is not None:
            command.error(f"'--{option}' is not for {options.name} (got {getattr(options, option)})")
    return guarded(lambda: _write(options), "run the command again to start over")


def _write(options: argparse.Namespace) -> None:
    from benchmarks.synthetic.tags import STATED, write_tags  # Here, so that help is fast.
    from benchmarks.synthetic.write import shown_progress, write_set

    start = time.perf_counter()
    with shown_progress() as tell:
        if options.name == TAGS:
            sizes = {"items": options.items, "num_labels": options.labels, "block": options.block}
            given = {key: value for key, value in sizes.items() if value is not None}
            write_tags(options.out, seed=options.seed, tell=tell, **given)
            stated = STATED
        else:
            split, block = options.split or "dcmh", BLOCK if options.block is None else options.block
            write_set(options.name, options.out, options.items, options.seed, split, block, tell)
            stated = SETS[options.name].stated
    size = sum(file.stat().st_size for file in options.out.rglob("*.*"))
    print(f"{options.out}: {size / 1e6:,.0f} MB in {time.perf_counter() - start:.0f} s. {stated}")


if __name__ == "__main__":
    sys.exit(main())
