"""What is ranked, checked, and its scores block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from labelgraph.retrieval.codes import unpack_bits
from labelgraph.retrieval.relevance import Relevance, RelevanceRows

SIMILARITIES = ("cosine", "dot", "hamming")
LONGEST = 1e19  # No product of two such rows is beyond float32.


@dataclass(frozen=True)
class RankingInputs:
    """Queries, a database, how they compare, what is relevant, and which of the queries are ranked."""

    query: Tensor
    database: Tensor
    similarity: str
    relevance: RelevanceRows
    ranked: slice

    @classmethod
    def checked(
        cls,
        query: Tensor,
        database: Tensor,
        query_labels: Tensor | None,
        database_labels: Tensor | None,
        similarity: str,
        relevance: Relevance,
        query_ids: Tensor | None,
        database_ids: Tensor | None,
    ) -> RankingInputs:
        """Check all arguments, which are those of `ranked_relevance`, and rank all queries.

        Raises:
            ValueError: If shapes disagree, a side is empty, or an embedding is not finite.
        """
        _check(query, database, similarity)
        size = len(query), len(database)
        rows = RelevanceRows(relevance, query_labels, database_labels, query_ids, database_ids, size)
        if query.shape[1] != database.shape[1]:
            raise ValueError(
                f"'database' must have {query.shape[1]} columns, as the query has (got {database.shape[1]})"
            )
        return cls(query.detach(), database.detach(), similarity, rows, slice(0, len(query)))

    def blocks(self, block_size: int) -> Iterator[slice]:
        """The queries to rank, block by block."""
        for start in range(self.ranked.start, self.ranked.stop, block_size):
            yield slice(start, min(start + block_size, self.ranked.stop))

    @property
    def counts_bits(self) -> bool:
        """Whether distances of packed codes can be counted instead of multiplied: on a CPU."""
        return self.similarity == "hamming" and self.query.device.type == "cpu"

    def grade_arrays(self, rows: slice) -> list[np.ndarray]:
        """Grades for some queries, and what is excluded where there are ids."""
        grades, excluded = self.relevance(rows)
        return [grades.numpy()] if excluded is None else [grades.numpy(), excluded.numpy()]


def score_blocks(inputs: RankingInputs, block_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Scores in float32 and grades, both (b, N), in memory used again; what is excluded scores -inf."""
    query, database = inputs.query, inputs.database
    if inputs.similarity == "hamming":
        # The product of codes of -1 and 1 is their length less twice their distance.
        query, database = (unpack_bits(side, 8 * side.shape[1]) for side in (query, database))
    # At least float32: codes may come in small integers, whose sums overflow.
    precision = torch.promote_types(torch.promote_types(query.dtype, database.dtype), torch.float32)
    query, database = query.to(precision), database.to(precision)
    if inputs.similarity == "cosine":
        query, database = F.normalize(query), F.normalize(database)
    # Kept from block to block: memory taken anew would be faulted in page by page each time.
    products = query.new_empty(min(block_size, len(query)), len(database))
    for rows in inputs.blocks(block_size):
        scores = torch.mm(query[rows], database.t(), out=products[: len(query[rows])]).float()
        grades, excluded = inputs.relevance(rows)
        yield (scores if excluded is None else scores.masked_fill_(excluded, -torch.inf)), grades


def _check(query: Tensor, database: Tensor, similarity: str) -> None:
    if similarity not in SIMILARITIES:
        raise ValueError(f"'similarity' must be one of {', '.join(SIMILARITIES)} (got {similarity!r})")
    for name, embedding in (("query", query), ("database", database)):
        if embedding.ndim != 2 or len(embedding) == 0:
            raise ValueError(f"'{name}' must be a matrix with at least one row (got shape {tuple(embedding.shape)})")
        if similarity == "hamming" and embedding.dtype != torch.uint8:
            raise ValueError(f"'{name}' must be codes of 'pack_bits', uint8, for 'hamming' (got {embedding.dtype})")
        if similarity != "hamming":
            check_finite(name, embedding)


def check_finite(name: str, embedding: Tensor) -> None:
    """Refuse embeddings that are not finite, or so long that their products in float32 are not."""
    numbers = embedding.detach() if embedding.is_floating_point() else embedding.float()
    length = torch.linalg.vector_norm(numbers, dim=1, dtype=torch.promote_types(numbers.dtype, torch.float32))
    if (length < LONGEST).all():
        return
    if not torch.isfinite(numbers).all():
        raise ValueError(f"'{name}' must be finite (got NaN or infinity)")
    raise ValueError(f"'{name}' must have rows no longer than {LONGEST:g} (got {length.max().item():.3g})")
