"""The tables of a run, with what they measure above each."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.config import RunConfig
from labelgraph.report import Result, results_table


def tables(results: Sequence[Result], config: RunConfig) -> str:
    """A table a protocol."""
    k = config.eval.k
    measure = "mAP over the full ranking" if k is None else f"mAP at {k}, definition {config.eval.definition}"
    parts = []
    for protocol in config.eval.protocols:
        queries = next(r for r in results if r.protocol == protocol).image_to_text.num_queries
        parts += [
            f"{protocol}: {measure}, {queries} queries each way",
            "",
            results_table(results, protocol),
            "",
        ]
    return "\n".join(parts).rstrip()
