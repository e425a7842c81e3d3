"""Train methods with hash codes of several lengths, and compare their mAP with the mAP without codes.

Examples:
  python -m benchmarks.bits --methods expected-relevance agah
  python -m benchmarks.bits --dataset my-data.npz --bits 16 64 --seeds 0 1 2 3 4 --set data.split=test-vs-test
  python -m benchmarks.bits --resume runs/BITS    # resume an interrupted run
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.experiments.parallel_options import check_workers, parallel_parser
from labelgraph.cli.common import guarded
from labelgraph.methods.registry import METHODS

BITS = (16, 32, 64, 128)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = parallel_parser("benchmarks.bits", __doc__ or "", "DATASET-bits", (0, 1, 2))
    command.add_argument("--methods", metavar="NAME", nargs="+", default=list(METHODS), choices=list(METHODS),
                         help=f"some of: {', '.join(METHODS)} (default: all)")  # fmt: skip
    command.add_argument("--bits", metavar="N", type=int, nargs="+", default=list(BITS),
                         help=f"lengths of the codes (default: {' '.join(map(str, BITS))})")  # fmt: skip
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parser().parse_args(arguments)
    return guarded(lambda: _measure(options), "resume the run with --resume and its folder")


def _measure(options: argparse.Namespace) -> None:
    check_workers(options.jobs)
    if min(options.bits) < 1 or len(set(options.bits)) < len(options.bits):
        raise ValueError(f"'--bits' must be distinct and at least 1 (got {' '.join(map(str, options.bits))})")
    # Here, so that help is fast.
    from benchmarks.experiments.code_lengths import begin_bits, measure
    from benchmarks.experiments.folder_start import working
    from benchmarks.experiments.run_folder import RunFolder

    with working(options, options.dataset, "bits") as path:
        measure(begin_bits(options, RunFolder(path)), RunFolder(path), options.jobs)


if __name__ == "__main__":
    sys.exit(main())
