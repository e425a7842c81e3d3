"""Rank and measure: metrics by name of each query, over one or several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import ProcessGroup

from labelgraph._core.names import check_name
from labelgraph._core.similarity import Vectors
from labelgraph.metrics.grades import Relevance
from labelgraph.metrics.item_values import ItemValues
from labelgraph.metrics.measures import parse_metric
from labelgraph.metrics.metric import Metric, Ranking
from labelgraph.metrics.metric_options import TIES
from labelgraph.metrics.ranking import RankingInputs, placed_blocks, ranked_blocks, rows_a_block
from labelgraph.metrics.ties import bucket_blocks


def over_queries(
    measure: Callable[[slice], Tensor], values: Tensor, block_size: int, group: dist.ProcessGroup | None
) -> Tensor:
    """Measure the queries of this process and gather the values of all of them.

    A process takes whole blocks, the same as one process alone would rank, so that the numbers are the same bit
    for bit.

    Args:
        measure: Gives the values of some of the queries, (b, M).
        values: Zeros, (Q, M), to be filled.
        block_size: Queries a block.
        group: The processes, which all have all queries and the whole database; none is this one alone.

    Returns:
        ``values``, the same in every process.
    """
    if group is None:
        return values.copy_(measure(slice(0, len(values))))
    rows = share(len(values), block_size, dist.get_rank(group), dist.get_world_size(group))
    if rows.start < rows.stop:
        values[rows] = measure(rows)
    dist.all_reduce(values, group=group)  # Every row is zero in all processes but one.
    return values


def share(num_queries: int, block_size: int, rank: int, num_processes: int) -> slice:
    """The queries of a process: whole blocks in one run, as evenly as blocks allow."""
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
) -> dict[str, Tensor]:
    r"""Rank a database for queries and give metrics, by name, of each query.

    - ``map``: average precision over the whole ranking; ``map@50/topk``: with a cut-off, in one of the four
      definitions of `average_precision`, ``topk`` if none is named;
    - ``precision@10``, ``recall@10``, ``r-precision``: see `precision_at`, `recall_at`, `r_precision`;
      ``precision@min(10,R)``: of the first R where a query has only R < 10 relevant items;
    - ``precision@recall0.5``: a point of the precision-recall curve, see `precision_at_recall`;
    - ``ndcg@10/linear``, ``ndcg/exponential``: see `ndcg_at`; graded by the number of labels that an item shares
      with the query, unless ``relevance`` gives grades of its own; linear if no gain is named;
    - ``jaccard@10``: mean Jaccard coefficient of the label sets of the query and of the first 10 items;
      ``exact@10``: share of the first 10 items that have exactly the query's labels;
    - ``own@10``: 1 if the query's own pair, the item of its id, is among the first 10; ``own-rank``: its rank. NaN
      for a query whose pair is not in the database;
    - ``precision@r2``, ``recall@r2``: of all items within a Hamming distance of 2, 0 where there are none;
      ``lookup@r2``: 1 if a relevant item is among them;
    - ``relevant``: number of relevant items.

    A query without relevant items, such as one without labels, scores 0.

    Args:
        query: `Embeddings`, or a matrix of torch, NumPy or lists, shape :math:`(Q, H)`; for ``hamming`` codes of
            `pack_bits`, uint8.
        database: The same, shape :math:`(N, H)`.
        query_labels: Multi-hot, shape :math:`(Q, C)`; not needed where ``relevance`` is a matrix.
        database_labels: Multi-hot, shape :math:`(N, C)`.
        metrics: Names, or metrics of ``METRICS``.
        similarity: Of plain matrices, see `Embeddings`; by default cosine.
        relevance: See `ranked_relevance`; graded relevance counts as relevant above 0.
        ties: ``"database"``: items of equal score keep the order of the database. ``"expected"``: the expectation
            over a random order of them, in closed form; what short codes deserve, of which many tie.
        query_ids: With ``database_ids``, tells which item is the query's own pair: the one of the same id.
        database_ids: See ``query_ids``.
        leave_out_own: Whether a query's own pair is left out of the ranking, where ids are given; ``own@K`` and
            ``own-rank`` need it there.
        block_size: Queries ranked at a time; by default as many as keep a block within 8 million scores.
        group: Processes of `torch.distributed` that all have the same arguments and share the queries out among
            them, such as ``torch.distributed.group.WORLD``; all get the same values.

    Returns:
        Values of each query by the full name of the metric, each of shape :math:`(Q,)`, float64.

    Raises:
        ValueError: If a name is unknown, a radius is asked of anything but codes, or the inputs do not fit.

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
    _check_needs(names, inputs)
    rows = rows_a_block(inputs, block_size)
    values = torch.zeros(len(inputs.query), len(names), dtype=torch.float64, device=inputs.query.vectors.device)
    over_queries(lambda part: _measure(replace(inputs, ranked=part), names, ties, rows), values, rows, group)
    return {name.full: column for name, column in zip(names, values.unbind(1), strict=True)}


def read_metrics(metrics: Sequence[str | Metric], ties: str = "database") -> list[Metric]:
    """Read the names of metrics, each once.

    Raises:
        ValueError: If a name or the treatment of ties is unknown.
    """
    if isinstance(metrics, str) or not metrics:
        raise ValueError(f"'metrics' must be a list of at least one name (got {metrics!r})")
    check_name("ties", ties, TIES)
    read = [metric if isinstance(metric, Metric) else parse_metric(metric) for metric in metrics]
    return list({metric.full: metric for metric in read}.values())


def _check_needs(names: list[Metric], inputs: RankingInputs) -> None:
    for name in names:
        if name.needs_distances and inputs.similarity != "hamming":
            got = inputs.similarity
            raise ValueError(f"'similarity' must be 'hamming' for {name.full!r} in 'metrics' (got {got!r})")
        if name.item_value is not None:
            inputs.values.check(name.full, name.item_value, inputs.relevance.size)


def _measure(inputs: RankingInputs, names: list[Metric], ties: str, block_size: int) -> Tensor:
    """Values of the queries that are ranked, (b, |names|)."""
    groups = {_of_buckets: [name for name in names if ties == "expected" or name.needs_distances]}
    ranked = [name for name in names if name not in groups[_of_buckets]]
    placed = any(name.item_value for name in ranked)
    groups[_of_placed if placed else _of_rankings] = ranked
    num_queries = inputs.ranked.stop - inputs.ranked.start
    # Made before the blocks: small results between them would keep their memory from being used again.
    values = torch.empty(num_queries, len(names), dtype=torch.float64, device=inputs.query.vectors.device)
    for measure, group in groups.items():
        columns, start = [names.index(name) for name in group], 0
        for block in measure(inputs, group, block_size) if group else ():
            values[start : start + len(block), columns] = block
            start += len(block)
    return values


def _of_rankings(inputs: RankingInputs, names: list[Metric], block_size: int) -> Iterator[Tensor]:
    """Metrics of grades in ranked order, block by block: (b, |names|), float64."""
    for grades in ranked_blocks(inputs, block_size):
        ranking = Ranking(grades)
        yield torch.stack([name.of_ranking(ranking) for name in names], 1)


def _of_placed(inputs: RankingInputs, names: list[Metric], block_size: int) -> Iterator[Tensor]:
    """The same of metrics that look at the items themselves."""
    for rows, grades, places in placed_blocks(inputs, block_size):
        ranking = Ranking(grades, partial(_value, inputs.values, rows, places))
        yield torch.stack([name.of_ranking(ranking) for name in names], 1)


def _value(values: ItemValues, rows: slice, places: Tensor, name: str, k: int | None) -> Tensor:
    return values.at(name, rows, places[:, :k])


def _of_buckets(inputs: RankingInputs, names: list[Metric], block_size: int) -> Iterator[Tensor]:
    """Metrics in expectation over the order within buckets, and metrics of a radius."""
    values = sorted({name.item_value for name in names if name.item_value is not None})
    for buckets in bucket_blocks(inputs, block_size, values):
        yield torch.stack([name.of_buckets(buckets) for name in names], 1)
