"""Items of equal score in buckets, counted."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from labelgraph.retrieval.hamming import code_words, count_codes
from labelgraph.retrieval.inputs import RankingInputs, score_blocks
from labelgraph.retrieval.ndcg import GAINS, count_grades
from labelgraph.retrieval.ranking import CACHED_KEYS, CACHED_RELEVANCE, rows_a_block
from labelgraph.retrieval.threads import in_parts


@dataclass(frozen=True)
class Buckets:
    """Each query's ranking as a row of buckets, best first, of items that tie. A bucket may be empty.

    Args:
        total: Items, int64, (b, K).
        relevant: Relevant items, int64, (b, K).
        gains: Sum of the items' gains by the name of the gain, float64, (b, K).
        grades: Items of each grade in all buckets, (b, highest grade + 1).
    """

    total: Tensor
    relevant: Tensor
    gains: dict[str, Tensor]
    grades: Tensor

    @classmethod
    def of_counts(cls, counts: Tensor) -> Buckets:
        """Buckets of the number of items in each of them of each grade, (b, K, grades)."""
        grades = torch.arange(counts.shape[2], device=counts.device)
        gains = {name: counts.double() @ gain(grades) for name, gain in GAINS.items()}
        return cls(counts.sum(2), counts[..., 1:].sum(2), gains, counts.sum(1))


def bucket_blocks(inputs: RankingInputs, block_size: int | None) -> Iterator[Buckets]:
    """Items of equal score in a bucket: for codes one for each distance from 0, otherwise one for each score."""
    block_size = rows_a_block(inputs, block_size)
    if inputs.counts_bits:
        yield from _of_codes(inputs, block_size)
    elif inputs.similarity == "hamming":
        for scores, grades in score_blocks(inputs, block_size):
            yield Buckets.of_counts(count_on_device(scores, grades, 8 * inputs.query.shape[1]))
    else:
        for scores, grades in score_blocks(inputs, block_size):
            step = max(1, CACHED_RELEVANCE // scores.shape[1])
            for part in zip(scores.split(step), grades.split(step), strict=True):
                yield _of_scores(*part)


def _of_codes(inputs: RankingInputs, block_size: int) -> Iterator[Buckets]:
    query, database = code_words(inputs.query), np.ascontiguousarray(code_words(inputs.database).T)
    step = max(1, CACHED_KEYS // len(inputs.database))
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for rows in inputs.blocks(block_size):
            arrays = [query[rows], *inputs.grade_arrays(rows)]
            count = partial(count_codes, max(1, int(arrays[1].max())) + 1, database)
            yield Buckets.of_counts(torch.from_numpy(np.concatenate(in_parts(pool, count, step, *arrays))))


def count_on_device(scores: Tensor, grades: Tensor, bits: int) -> Tensor:
    """The counts of `count_codes` from products of codes of -1 and 1, on any device."""
    num_grades = max(1, int(grades.max())) + 1
    kept = scores > -torch.inf
    distance = torch.where(kept, (bits - scores) / 2, bits + 1).long()
    cells = (bits + 2) * num_grades  # The last bucket takes what is excluded.
    row = torch.arange(len(scores), device=scores.device)[:, None] * cells
    counts = torch.bincount((row + distance * num_grades + grades).flatten(), minlength=len(scores) * cells)
    return counts.view(len(scores), bits + 2, num_grades)[:, :-1]


def _of_scores(scores: Tensor, grades: Tensor) -> Buckets:
    values, order = scores.sort(dim=1, descending=True, stable=True)
    ranked = grades.gather(1, order).long()
    bucket = torch.zeros_like(order)
    bucket[:, 1:] = (values[:, 1:] != values[:, :-1]).cumsum(1)
    kept = values > -torch.inf

    def sums(of: Tensor) -> Tensor:
        return torch.zeros_like(of).scatter_add_(1, bucket, of)

    gains = {name: sums(gain(ranked)) for name, gain in GAINS.items()}
    return Buckets(sums(kept.long()), sums((ranked > 0).long()), gains, count_grades(ranked))
