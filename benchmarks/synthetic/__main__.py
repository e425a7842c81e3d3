"""Write a set of a published set's size and label statistics, made of random numbers.

Examples:
  python -m benchmarks.synthetic mirflickr --out data/synthetic-mirflickr
  python -m benchmarks.synthetic nus-wide-tc21 --items 10000 --out data/synthetic-small
  python -m benchmarks.run --dataset data/synthetic-mirflickr

It serves runs of scale and time. What methods score on it says nothing of the set that it imitates.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.synthetic.sets import SETS
from benchmarks.synthetic.write import BLOCK, write_set
from labelgraph.data import SPLITS


def parser() -> argparse.ArgumentParser:
    """The command line."""
    description, _, rest = (__doc__ or "").partition("\n\n")
    command = argparse.ArgumentParser(
        prog="python -m benchmarks.synthetic",
        description=description,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("name", choices=list(SETS), help=f"one of: {', '.join(SETS)}", metavar="NAME")
    command.add_argument("--out", metavar="DIR", type=Path, required=True, help="new folder")
    command.add_argument("--items", metavar="N", type=int, help="how many items (default: as many as the set has)")
    command.add_argument("--seed", metavar="N", type=int, default=0, help="of everything (default: 0)")
    command.add_argument("--split", metavar="NAME", default="dcmh", choices=list(SPLITS),
                         help=f"one of: {', '.join(SPLITS)} (default: dcmh)")  # fmt: skip
    command.add_argument("--block", metavar="N", type=int, default=BLOCK,
                         help=f"items in memory at a time (default: {BLOCK:,}); it changes no item")  # fmt: skip
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit status."""
    options = parser().parse_args(arguments)
    start = time.perf_counter()

    def tell(done: int, total: int) -> None:
        print(f"\r{done:,} of {total:,} items", end="", file=sys.stderr, flush=True)

    try:
        write_set(options.name, options.out, options.items, options.seed, options.split, options.block, tell)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(file=sys.stderr)
    size = sum(file.stat().st_size for file in options.out.rglob("*.*"))
    print(f"{options.out}: {size / 1e6:,.0f} MB in {time.perf_counter() - start:.0f} s. {SETS[options.name].stated}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
