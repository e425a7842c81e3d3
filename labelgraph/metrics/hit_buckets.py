"""Buckets of tied items for sparse labels: those that follow each other without a relevant item are one bucket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from labelgraph.metrics.hit_ranking import of_queries, orders
from labelgraph.metrics.ranked import GAINS
from labelgraph.metrics.ranking import CACHED_RELEVANCE, RankingInputs
from labelgraph.metrics.ties import Buckets


def hit_buckets(inputs: RankingInputs, block_size: int, values: Sequence[str]) -> Iterator[Buckets]:
    """Yield the buckets of `bucket_blocks` in little memory, for inputs of which `keeps_hits` is true, except codes.

    Buckets without a relevant item do not change an expected value, but the number of their items does.

    Args:
        inputs: Inputs of the ranking.
        block_size: Number of queries scored at a time.
        values: Names of the values of `ItemValues` to sum over buckets.
    """
    few = max(1, CACHED_RELEVANCE // len(inputs.database))
    for rows in of_queries(inputs, block_size, partial(_bucketed, inputs, values), few):
        yield _joined(rows)


class _Row(NamedTuple):
    """The buckets of a query: see `Buckets`, without the first dimension."""

    total: Tensor
    relevant: Tensor
    gains: Mapping[str, Tensor]
    grades: Tensor
    values: Mapping[str, Tensor]


def _bucketed(
    inputs: RankingInputs, values: Sequence[str], scores: np.ndarray, numbers: Sequence[int], owns: Sequence[np.ndarray]
) -> list[_Row]:
    """Return the buckets of some queries from their scores, their numbers and the places of their own items."""
    return [_row(inputs, values, *ranked) for ranked in orders(inputs, scores, numbers, owns)]


def _row(
    inputs: RankingInputs,
    values: Sequence[str],
    number: int,
    key: np.ndarray,
    order: np.ndarray,
    shared: np.ndarray,
    own: np.ndarray,
) -> _Row:
    """Return the buckets of a query from its ranking, see `orders`."""
    kept = np.take(shared, order, mode="clip") != 0
    left_out = len(own) if inputs.relevance.leave_out_own else 0
    if "own" in values:
        kept |= np.isin(order, own)
    items = order[kept]
    ordered = np.take(key, order, mode="clip")
    level, start = np.unique(ordered[kept], return_index=True)
    ends = np.stack([np.searchsorted(ordered, level, side) for side in ("left", "right")], 1)
    total = np.diff(ends.ravel(), prepend=0, append=len(key) - left_out)

    def sums(of_items: Tensor) -> Tensor:
        """Sum over the items of each bucket; every second bucket has none of them."""
        whole = of_items.new_zeros(len(total))
        if len(start):
            whole[1::2] = torch.from_numpy(np.add.reduceat(of_items.numpy(), start))
        return whole

    grades = torch.from_numpy(shared[items].astype(np.int64))
    grades = grades.clamp(max=1) if inputs.relevance.relevance == "shared" else grades
    counts = grades.bincount(minlength=1)
    counts[0] += len(key) - len(items)
    places, rows = torch.from_numpy(items)[None], slice(number, number + 1)
    return _Row(
        total=torch.from_numpy(total),
        relevant=sums((grades > 0).long()),
        gains={name: sums(gain(grades)) for name, gain in GAINS.items()},
        grades=counts,
        values={name: sums(inputs.values.at(name, rows, places)[0]) for name in values},
    )


def _joined(rows: Sequence[_Row]) -> Buckets:
    """Join the buckets of some queries to padded matrices."""

    def padded(vectors: Sequence[Tensor]) -> Tensor:
        return pad_sequence([*vectors], batch_first=True)

    def by_name(sums: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        return {name: padded([row[name] for row in sums]) for name in sums[0]}

    total, relevant, gains, grades, values = zip(*rows, strict=True)
    return Buckets(padded(total), padded(relevant), by_name(gains), padded(grades), by_name(values))
