"""Metrics of queries and a database that several processes share out among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from labelgraph._core.array_kinds import as_sparse, plain_array
from labelgraph._core.embeddings import BLOCK_SCORES, Embeddings, Vectors, as_embeddings, as_matrix
from labelgraph._core.multi_hot import take_rows
from labelgraph._core.ranks import rows_of_all, shared_batch, shared_errors
from labelgraph.metrics.compute import check_needs, read_metrics
from labelgraph.metrics.grades import Relevance
from labelgraph.metrics.metric import Metric, Ranking
from labelgraph.metrics.ranked import check_cuts
from labelgraph.metrics.ranking import RankingInputs, graded_blocks
from labelgraph.metrics.ties import buckets_of


def sharded_metrics(
    query: Vectors,
    database: Vectors,
    query_labels: Any,
    database_labels: Any,
    metrics: Sequence[str | Metric] = ("map",),
    *,
    group: dist.ProcessGroup,
    similarity: str | None = None,
    relevance: Relevance = "shared",
    ties: str = "database",
    query_ids: Any = None,
    database_ids: Any = None,
    leave_out_own: bool = True,
    block_size: int | None = None,
) -> dict[str, Tensor]:
    """Compute `query_metrics` if each process has only a part of the queries and a part of the database.

    Every process scores the queries of all processes against its part of the database, block by block, and ranks the
    whole database for its own queries. So no process holds more than its parts, and one block of scores of all items.
    The order of the queries and of the database is that of the ranks. The values are those of `query_metrics` in one
    process: for codes up to the last digits of float64, for float embeddings up to the rounding of scores, which
    depends on the sizes of the parts.

    Args:
        query: Embeddings of the queries of this process, at least one.
        database: Embeddings of the items of this process, at least one.
        query_labels: Multi-hot labels of these queries, dense or sparse.
        database_labels: Multi-hot labels of these items, dense or sparse.
        metrics: See `query_metrics`.
        group: The processes. All must call the function with the same settings.
        similarity: See `query_metrics`.
        relevance: ``"shared"``, ``"graded"`` or a function, see `ranked_relevance`.
        ties: See `query_metrics`.
        query_ids: Ids of these queries, whole numbers.
        database_ids: Ids of these items, whole numbers.
        leave_out_own: See `query_metrics`.
        block_size: Number of queries of each process that are ranked at a time; by default, a process holds at most
            8 million scores.

    Returns:
        Values of the queries of all processes by the full name of the metric, each of shape (Q,), float64, the same in
        all processes.

    Raises:
        ValueError: In all processes, if embeddings, labels or ids of one process do not fit those of another; if a
            process has no queries or no items; or if an argument is wrong.
        RuntimeError: If a relevance function or a metric fails with another error in one process; the others name it.
    """
    names = read_metrics(metrics, ties)
    relevance = _checked_relevance(names, relevance)
    if block_size is not None:
        check_cuts([block_size], "block_size")
    given = query, database, query_labels, database_labels, query_ids, database_ids
    with shared_errors(group):
        (asks, has), labels, ids = _prepared(*given, similarity)
    sizes = _agreed_sizes((asks, has), labels, ids, group)
    with shared_errors(group):
        check_needs(names, RankingInputs.checked(asks, has, *labels, None, relevance, *ids, leave_out_own))
    step = block_size or max(1, BLOCK_SCORES // (sum(items for _, items in sizes) * len(sizes)))
    values = torch.zeros(len(asks), len(names), dtype=torch.float64, device=asks.vectors.device)
    for start in range(0, max(queries for queries, _ in sizes), step):
        rows = slice(min(start, len(asks)), min(start + step, len(asks)))
        block = _block(asks, labels[0], ids[0], rows, group)
        with shared_errors(group):
            inputs = RankingInputs.checked(
                block[0], has, block[1], labels[1], None, relevance, block[2], ids[1], leave_out_own
            )
            binary, parts = _scored(names, inputs)
        before = sum(len(range(*slice(start, start + step).indices(queries))) for queries, _ in _earlier(sizes, group))
        own = slice(before, before + rows.stop - rows.start)
        with shared_batch(group):
            gathered = rows_of_all(*(table.t() for table in parts))
        with shared_errors(group):
            tables = [table[:, own].t().contiguous() for table in gathered]
            values[rows] = _measured(names, ties, inputs, binary, tables)
    with shared_batch(group):
        (everyone,) = rows_of_all(values)
    return {name.full: column for name, column in zip(names, everyone.unbind(1), strict=True)}


def _earlier(sizes: list[tuple[int, int]], group: dist.ProcessGroup) -> list[tuple[int, int]]:
    return sizes[: dist.get_rank(group)]


def _checked_relevance(names: list[Metric], relevance: Relevance) -> Relevance:
    """Return the relevance that the metrics need."""
    if not isinstance(relevance, str) and not callable(relevance):
        raise ValueError("'relevance' must be a name or a function for a database in parts (got a matrix)")
    graded = isinstance(relevance, str) and relevance == "shared" and any(name.needs_grades for name in names)
    return "graded" if graded else relevance


def _prepared(
    query: Vectors, database: Vectors, query_labels: Any, database_labels: Any, query_ids: Any, database_ids: Any,
    similarity: str | None,
) -> tuple[tuple[Embeddings, Embeddings], tuple[Any, Any], tuple[Tensor | None, Tensor | None]]:  # fmt: skip
    sides = as_embeddings("query", query, similarity), as_embeddings("database", database, similarity)
    labels = _labels("query_labels", query_labels), _labels("database_labels", database_labels)
    for side, part, name in zip(sides, labels, ("query_labels", "database_labels"), strict=True):
        if len(side) != part.shape[0]:
            raise ValueError(f"'{name}' must have {len(side)} rows (got {part.shape[0]})")
    return sides, labels, (_ids("query_ids", query_ids), _ids("database_ids", database_ids))


def _labels(name: str, labels: Any) -> Any:
    """Return labels as a dense tensor or a CSR array."""
    if isinstance(labels, Tensor) and labels.layout == torch.strided:
        return labels
    is_sparse = isinstance(labels, Tensor) or hasattr(labels, "tocsr")
    return as_sparse(name, labels) if is_sparse else as_matrix(name, labels)


def _ids(name: str, ids: Any) -> Tensor | None:
    if ids is None:
        return None
    given = ids if isinstance(ids, Tensor) else plain_array(name, list(ids) if isinstance(ids, range) else ids)
    whole = not given.is_floating_point() if isinstance(given, Tensor) else given.dtype.kind in "biu"
    if not whole or given.ndim != 1:
        raise ValueError(f"'{name}' must be whole numbers for a database in parts (got {given.dtype})")
    return torch.as_tensor(given).long()


def _agreed_sizes(
    sides: tuple[Embeddings, Embeddings], labels: tuple[Any, Any], ids: tuple[Any, Any], group: dist.ProcessGroup
) -> list[tuple[int, int]]:
    """Return the numbers of queries and items of each process; parts that do not fit are an error in all processes."""
    asks, has = sides
    own = {
        "similarity": (asks.similarity, has.similarity),
        "label probabilities": (asks.num_labels, has.num_labels),
        "width of the embeddings": (asks.vectors.shape[1], has.vectors.shape[1]),
        "type of the embeddings": (str(asks.vectors.dtype), str(has.vectors.dtype)),
        "labels": tuple((tuple(part.shape[1:]), str(part.dtype)) for part in labels),
        "ids": tuple(part is not None for part in ids),
    }
    sizes = len(asks), len(has)
    everyone: list[Any] = [None] * dist.get_world_size(group)
    dist.all_gather_object(everyone, (sizes, own), group=group)
    for rank, (_, facts) in enumerate(everyone):
        for name, value in facts.items():
            if value != everyone[0][1][name]:
                raise ValueError(
                    f"all processes must have the same {name} (got {everyone[0][1][name]} in process 0 and {value} in "
                    f"process {rank})"
                )
    return [size for size, _ in everyone]


def _block(asks: Embeddings, labels: Any, ids: Tensor | None, rows: slice, group: dist.ProcessGroup) -> tuple[Any, ...]:
    """Gather some queries of each process, with their labels and ids."""
    parts = [asks.vectors[rows], take_rows(labels, rows, dense=False)] + ([] if ids is None else [ids[rows]])
    with shared_batch(group):
        vectors, hot, *numbers = rows_of_all(*parts)
    return replace(asks, vectors=vectors), hot, (numbers[0] if numbers else None)


def _scored(names: list[Metric], inputs: RankingInputs) -> tuple[bool, list[Tensor]]:
    """Score the block of queries against the own items.

    Returns:
        Whether the grades are truth values; and the scores, the grades as numbers, and the values that metrics need.
    """
    size = len(inputs.query)
    scores, grades = next(graded_blocks(inputs, size))
    values = [inputs.values.whole(name, slice(0, size)).to(scores.device) for name in _wanted(names)]
    return grades.dtype == torch.bool, [scores, grades.int(), *values]


def _wanted(names: list[Metric]) -> list[str]:
    return sorted({name.item_value for name in names if name.item_value is not None})


def _measured(names: list[Metric], ties: str, inputs: RankingInputs, binary: bool, tables: list[Tensor]) -> Tensor:
    """Measure the own queries of the block, from their scores, grades and values of all items."""
    scores, grades, *values = tables
    if not len(scores):
        return torch.empty(0, len(names), dtype=torch.float64)
    by_name = dict(zip(_wanted(names), values, strict=True))
    order = scores.sort(dim=1, descending=True, stable=True).indices
    ranked = grades.gather(1, order)
    ranking = Ranking(
        ranked.to(torch.uint8) if binary else ranked,
        lambda name, k: by_name[name].gather(1, order)[:, :k],
    )
    by_buckets = [ties == "expected" or name.needs_distances for name in names]
    bits = 8 * inputs.query.vectors.shape[1] if inputs.similarity == "hamming" else None
    buckets = buckets_of(scores, grades, by_name, bits) if any(by_buckets) else None
    return torch.stack(
        [
            name.of_buckets(buckets) if buckets is not None and of_buckets else name.of_ranking(ranking)
            for name, of_buckets in zip(names, by_buckets, strict=True)
        ],
        1,
    )
