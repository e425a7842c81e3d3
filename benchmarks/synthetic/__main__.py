"""Write a synthetic data set with the size and the label statistics of a published one.

Examples:
  python -m benchmarks.synthetic mirflickr --out data/synthetic-mirflickr
  python -m benchmarks.synthetic nus-wide-tc21 --items 10000 --out data/synthetic-small
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
from labelgraph.cli.common import guarded
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
    command.add_argument("--items", metavar="N", type=int, help="number of items (default: that of the published set)")
    command.add_argument("--seed", metavar="N", type=int, default=0, help="random seed (default: 0)")
    command.add_argument("--split", metavar="NAME", default="dcmh", choices=list(SPLITS),
                         help=f"way to split, one of: {', '.join(SPLITS)} (default: dcmh)")  # fmt: skip
    command.add_argument("--block", metavar="N", type=int, default=BLOCK,
                         help=f"number of items in memory (default: {BLOCK:,}); it changes no item")  # fmt: skip
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parser().parse_args(arguments)
    return guarded(lambda: _write(options), "run the command again to start over")


def _write(options: argparse.Namespace) -> None:
    from benchmarks.synthetic.write import write_set  # Here, so that help is fast.

    start = time.perf_counter()

    def tell(done: int, total: int) -> None:
        print(f"\r{done:,} of {total:,} items", end="", file=sys.stderr, flush=True)

    write_set(options.name, options.out, options.items, options.seed, options.split, options.block, tell)
    print(file=sys.stderr)
    size = sum(file.stat().st_size for file in options.out.rglob("*.*"))
    print(f"{options.out}: {size / 1e6:,.0f} MB in {time.perf_counter() - start:.0f} s. {SETS[options.name].stated}")


if __name__ == "__main__":
    sys.exit(main())
