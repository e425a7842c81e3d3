"""Metrics of each query by name, computed in one or several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import ProcessGroup

from labelgraph._core.embeddings import Vectors
from labelgraph._core.names import check_name
from labelgraph._core.ranks import shared_errors
from labelgraph._core.reading import quoted
from labelgraph.metrics.grades import Relevance
from labelgraph.metrics.hit_buckets import hit_buckets
from labelgraph.metrics.hit_ranking import HIT_SCORES, hit_rankings, keeps_hits
from labelgraph.metrics.item_values import ItemValues
from labelgraph.metrics.measures import parse_metric
from labelgraph.metrics.metric import Metric, Ranking
from labelgraph.metrics.metric_options import TIES
from labelgraph.metrics.ranking import RankingInputs, placed_blocks, ranked_blocks, rows_a_block
from labelgraph.metrics.ties import bucket_blocks


def over_queries(
    measure: Callable[[slice], Tensor], values: Tensor, block_size: int, group: dist.ProcessGroup | None
) -> Tensor:
    """Measure the queries of this process, and gather the values of all processes.

    A process takes whole blocks, the same blocks that a single process ranks, so the values are identical bit for bit.

    Args:
        measure: Function that returns the values of a slice of the queries, (b, M).
        values: Zeros, (Q, M), which are overwritten.
        block_size: Number of queries per block.
        group: Processes that share the queries; all of them have all queries and the whole database. None means only
            this process.

    Returns:
        ``values``, the same in every process.

    Raises:
        ValueError: In all processes, if one of them raises it.
        RuntimeError: In the other processes, if one of them raises another error.
    """
    if group is None:
        return values.copy_(measure(slice(0, len(values))))
    rows = share(len(values), block_size, dist.get_rank(group), dist.get_world_size(group))
    with shared_errors(group):
        if rows.start < rows.stop:
            values[rows] = measure(rows)
    dist.all_reduce(values, group=group)  # Every row is zero in all processes but one.
    return values


def share(num_queries: int, block_size: int, rank: int, num_processes: int) -> slice:
    """Return the queries of a process: consecutive whole blocks, distributed as evenly as possible."""
    blocks = -(-num_queries // block_size)
    start, stop = (blocks * part // num_processes * block_size for part in (rank, rank + 1))
    return slice(min(start, num_queries), min(stop, num_queries))


def query_metrics(
    query: Vectors,
    database: Vectors,
    query_labels: Any = None,
    database_labels: Any = None,
    metrics: Sequence[str | Metric] = ("map",),
    *,
    similarity: str | None = None,
    relevance: Relevance = "shared",
    ties: str = "database",
    query_ids: Any = None,
    database_ids: Any = None,
    leave_out_own: bool = True,
    block_size: int | None = None,
    group: ProcessGroup | None = None,
    progress: Callable[[int], object] | None = None,
) -> dict[str, Tensor]:
    r"""Rank a database for each query, and compute metrics of each query by name.

    - ``map``: average precision over the whole ranking; ``map@50/topk``: average precision with a cut-off, in one of
      the four definitions of `average_precision`; the definition defaults to ``topk``;
    - ``precision@10``, ``recall@10``, ``r-precision``: see `precision_at`, `recall_at`, `r_precision`;
      ``precision@min(10,R)``: precision among the first R items if a query has only R < 10 relevant items;
    - ``precision@recall0.5``: a point of the precision-recall curve, see `precision_at_recall`;
    - ``ndcg@10/linear``, ``ndcg/exponential``: see `ndcg_at`. The grade of an item is the number of labels that it
      shares with the query, unless ``relevance`` gives other grades. The gain defaults to ``linear``;
    - ``jaccard@10``: mean Jaccard coefficient of the label sets of the query and of the first 10 items;
      ``exact@10``: share of the first 10 items that have exactly the query's labels;
    - ``own@10``: 1 if the query's own pair, the item with the same id, is among the first 10 items; ``own-rank``: the
      rank of the own pair. Both are NaN if the own pair is not in the database;
    - ``precision@r2``, ``recall@r2``: precision and recall of all items within a Hamming distance of 2, or 0 without
      such items; ``lookup@r2``: 1 if a relevant item is within this distance;
    - ``relevant``: number of relevant items.

    A query without relevant items, such as a query without labels, scores 0.

    Args:
        query: `Embeddings` of the queries, or a matrix of torch, NumPy or lists, shape :math:`(Q, H)`; for ``hamming``,
            codes of `pack_bits`, uint8.
        database: Embeddings of the database, of the same kind, shape :math:`(N, H)`.
        query_labels: Multi-hot labels, dense or sparse, shape :math:`(Q, C)`; not needed if ``relevance`` is a matrix.
        database_labels: Multi-hot labels, dense or sparse, shape :math:`(N, C)`.
        metrics: Names, or metrics of ``METRICS``.
        similarity: Similarity of plain matrices, see `Embeddings`; defaults to cosine.
        relevance: See `ranked_relevance`; an item with a grade above 0 is relevant.
        ties: ``"database"``: items of equal score keep the order of the database. ``"expected"``: the expectation over
            a random order of tied items, in closed form, which is fair to short codes with many ties.
        query_ids: Ids of the queries, whole numbers or texts. The own pair of a query is the item of ``database_ids``
            with the same id.
        database_ids: Ids of the database; see ``query_ids``.
        leave_out_own: Whether to leave a query's own pair out of the ranking, if ids are given. ``own@K`` and
            ``own-rank`` require False.
        block_size: Number of queries ranked at a time; by default, a block has at most 8 million scores.
        group: Processes of `torch.distributed` that share the queries, such as ``torch.distributed.group.WORLD``. All
            of them must have the same arguments, and all return the same values.
        progress: Function called with the number of queries of each finished block of this process.

    Returns:
        Values of the queries by the full name of the metric, each of shape :math:`(Q,)`, float64.

    Raises:
        ValueError: If a metric is unknown, a radius is used without packed codes, or the inputs do not fit.

    Example:
        >>> import torch
        >>> from labelgraph.metrics import query_metrics
        >>> labels = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        >>> query_metrics(labels[:2], labels, labels[:2], labels, ["map@2", "recall@1"])
        {'map@2/topk': tensor([1., 1.], dtype=torch.float64),
         'recall@1': tensor([0.5000, 0.3333], dtype=torch.float64)}
    """
    names = read_metrics(metrics, ties)
    if any(name.needs_grades for name in names) and isinstance(relevance, str) and relevance == "shared":
        relevance = "graded"
    inputs = RankingInputs.checked(
        query, database, query_labels, database_labels, similarity, relevance, query_ids, database_ids, leave_out_own
    )
    check_needs(names, inputs)
    # Of hits, no grades of all items are in memory.
    hits = keeps_hits(inputs) and ties != "expected" and not any(name.needs_distances for name in names)
    rows = rows_a_block(inputs, block_size, HIT_SCORES if hits else None)
    values = torch.zeros(len(inputs.query), len(names), dtype=torch.float64, device=inputs.query.vectors.device)
    over_queries(lambda part: _measure(replace(inputs, ranked=part), names, ties, rows, progress), values, rows, group)
    return {name.full: column for name, column in zip(names, values.unbind(1), strict=True)}


def read_metrics(metrics: Sequence[str | Metric], ties: str = "database") -> list[Metric]:
    """Parse the names of metrics, and drop repeated metrics.

    Raises:
        ValueError: If a name or the treatment of ties is unknown.
    """
    if isinstance(metrics, str) or not isinstance(metrics, Iterable) or not metrics:
        raise ValueError(f"'metrics' must be a list of at least one name (got {quoted(metrics, 60)})")
    check_name("ties", ties, TIES)
    read = [metric if isinstance(metric, Metric) else parse_metric(metric) for metric in metrics]
    return list({metric.full: metric for metric in read}.values())


def check_needs(names: list[Metric], inputs: RankingInputs) -> None:
    """Check that the inputs have what the metrics need: codes for a radius, labels or ids for values of items."""
    for name in names:
        if name.needs_distances and inputs.similarity != "hamming":
            got = inputs.similarity
            raise ValueError(f"'similarity' must be 'hamming' for {name.full!r} in 'metrics' (got {got!r})")
        if name.item_value is not None:
            inputs.values.check(name.full, name.item_value, inputs.relevance.size)


def _measure(
    inputs: RankingInputs, names: list[Metric], ties: str, block_size: int, progress: Callable[[int], object] | None
) -> Tensor:
    """Compute the values of the ranked queries, (b, |names|)."""
    groups = {_of_buckets: [name for name in names if ties == "expected" or name.needs_distances]}
    ranked = [name for name in names if name not in groups[_of_buckets]]
    placed = any(name.item_value for name in ranked)
    groups[_of_hits if keeps_hits(inputs) else _of_placed if placed else _of_rankings] = ranked
    num_queries = inputs.ranked.stop - inputs.ranked.start
    # Allocated before the blocks, because small results between blocks would keep their memory from being reused.
    values = torch.empty(num_queries, len(names), dtype=torch.float64, device=inputs.query.vectors.device)
    for measure, group in groups.items():
        columns, start = [names.index(name) for name in group], 0
        for block in measure(inputs, group, block_size) if group else ():
            values[start : start + len(block), columns] = block
            start += len(block)
            if progress is not None and (group is ranked or not ranked):  # The queries of one group count.
                progress(len(block))
    return values


def _of_rankings(inputs: RankingInputs, names: list[Metric], block_size: int) -> Iterator[Tensor]:
    """Compute metrics of grades in ranked order, block by block: (b, |names|), float64."""
    for grades in ranked_blocks(inputs, block_size):
        ranking = Ranking(grades)
        yield torch.stack([name.of_ranking(ranking) for name in names], 1)


def _of_hits(inputs: RankingInputs, names: list[Metric], block_size: int) -> Iterator[Tensor]:
    """Compute metrics of the relevant items and the first items, block by block: (b, |names|), float64."""
    depths = [name.num_values for name in names if name.item_value is not None]
    depth = max((len(inputs.database) if depth is None else depth for depth in depths), default=0)
    for ranking in hit_rankings(inputs, block_size, depth):
        yield torch.stack([name.of_ranking(ranking) for name in names], 1)


def _of_placed(inputs: RankingInputs, names: list[Metric], block_size: int) -> Iterator[Tensor]:
    """Compute metrics of the items themselves, block by block: (b, |names|), float64."""
    for rows, grades, places in placed_blocks(inputs, block_size):
        ranking = Ranking(grades, partial(_value, inputs.values, rows, places))
        yield torch.stack([name.of_ranking(ranking) for name in names], 1)


def _value(values: ItemValues, rows: slice, places: Tensor, name: str, k: int | None) -> Tensor:
    return values.at(name, rows, places[:, :k])


def _of_buckets(inputs: RankingInputs, names: list[Metric], block_size: int) -> Iterator[Tensor]:
    """Compute metrics of a radius, and expected metrics over the order within buckets."""
    values = sorted({name.item_value for name in names if name.item_value is not None})
    few = keeps_hits(inputs) and inputs.similarity != "hamming"
    for buckets in (hit_buckets if few else bucket_blocks)(inputs, block_size, values):
        yield torch.stack([name.of_buckets(buckets) for name in names], 1)
