"""Rank and measure: metrics by name, of each query and as means, over one or several processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import ProcessGroup

from labelgraph._core.similarity import Vectors
from labelgraph.metrics.grades import Relevance
from labelgraph.metrics.named import MetricName, measure_buckets, measure_ranking, read_name
from labelgraph.metrics.ranking import RankingInputs, ranked_blocks, rows_a_block
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


DEFAULT_METRICS = ("map", "map@50/topk", "precision@10", "recall@10", "r-precision", "ndcg@10/linear")
TIES = ("database", "expected")
WITHOUT_RELEVANT = ("zero", "skip")


def query_metrics(
    query: Vectors,
    database: Vectors,
    query_labels: Any = None,
    database_labels: Any = None,
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    similarity: str | None = None,
    relevance: Relevance = "shared",
    ties: str = "database",
    query_ids: Any = None,
    database_ids: Any = None,
    block_size: int | None = None,
    group: ProcessGroup | None = None,
) -> dict[str, Tensor]:
    r"""Rank a database for queries and give metrics, by name, of each query.

    - ``map``: average precision over the whole ranking; ``map@50/topk``: with a cut-off, in one of the four
      definitions of `average_precision`, ``topk`` if none is named;
    - ``precision@10``, ``recall@10``, ``r-precision``: see `precision_at`, `recall_at`, `r_precision`;
    - ``precision@recall0.5``: a point of the precision-recall curve, see `precision_at_recall`;
    - ``ndcg@10/linear``, ``ndcg/exponential``: see `ndcg_at`; graded by the number of labels that an item shares
      with the query, unless ``relevance`` gives grades of its own; linear if no gain is named;
    - ``precision@r2``, ``recall@r2``: of all items within a Hamming distance of 2, 0 where there are none;
      ``lookup@r2``: 1 if a relevant item is among them;
    - ``relevant``: how many relevant items the query has.

    A query without relevant items, such as one without labels, scores 0.

    Args:
        query: Embeddings, shape :math:`(Q, H)`; for ``hamming`` codes of `pack_bits`, uint8.
        database: Embeddings, shape :math:`(N, H)`, or codes.
        query_labels: Multi-hot, shape :math:`(Q, C)`; not needed where ``relevance`` is a matrix.
        database_labels: Multi-hot, shape :math:`(N, C)`.
        metrics: Names.
        similarity: ``"cosine"``, ``"dot"`` or ``"hamming"``.
        relevance: See `ranked_relevance`; graded relevance counts as relevant above 0.
        ties: ``"database"``: items of equal score keep the order of the database. ``"expected"``: the expectation
            over a random order of them, in closed form; what short codes deserve, of which many tie.
        query_ids: With ``database_ids``, leaves an item of the same id as the query out; see `ranked_relevance`.
        database_ids: See ``query_ids``.
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
    names = _read(metrics, ties)
    if any(name.needs_grades for name in names) and isinstance(relevance, str) and relevance == "shared":
        relevance = "graded"
    inputs = RankingInputs.checked(
        query, database, query_labels, database_labels, similarity, relevance, query_ids, database_ids
    )
    _check_distances(names, inputs.similarity)
    rows = rows_a_block(inputs, block_size)
    values = torch.zeros(len(inputs.query), len(names), dtype=torch.float64, device=inputs.query.vectors.device)
    over_queries(lambda part: _measure(replace(inputs, ranked=part), names, ties, rows), values, rows, group)
    return {name.full: column for name, column in zip(names, values.unbind(1), strict=True)}


def retrieval_metrics(
    query: Vectors,
    database: Vectors,
    query_labels: Any = None,
    database_labels: Any = None,
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    without_relevant: str = "zero",
    **options: Any,
) -> dict[str, float]:
    """The means of `query_metrics` over the queries.

    Args:
        query: See `query_metrics`, as for all other arguments.
        database: See there.
        query_labels: See there.
        database_labels: See there.
        metrics: See there.
        without_relevant: Queries that no item is relevant to count 0 in every mean (``"zero"``), or are left out
            (``"skip"``). How many there are follows from ``relevant`` of `query_metrics`.
        options: Of `query_metrics`.

    Returns:
        Means by the full names of the metrics, which tell definitions and gains.

    Raises:
        ValueError: As `query_metrics`; or if all queries are to be left out.

    Example:
        Codes of two bits, of which the second and the third tie: expected is the mean of both orders.

        >>> import torch
        >>> from labelgraph.metrics import pack_bits, retrieval_metrics
        >>> codes = pack_bits(torch.tensor([[1, 1], [1, -1], [-1, 1]]))
        >>> relevant = torch.tensor([[True, False, True]])
        >>> retrieval_metrics(codes[:1], codes, metrics=["map", "precision@r0"], similarity="hamming",
        ...                   relevance=relevant, ties="expected")
        {'map': 0.9166666666666666, 'precision@r0': 1.0}
    """
    if without_relevant not in WITHOUT_RELEVANT:
        raise ValueError(f"'without_relevant' must be one of {', '.join(WITHOUT_RELEVANT)} (got {without_relevant!r})")
    asked = list(dict.fromkeys([*metrics, "relevant"])) if without_relevant == "skip" else metrics
    values = query_metrics(query, database, query_labels, database_labels, asked, **options)
    if without_relevant == "skip":
        kept = values["relevant"] > 0
        if not kept.any():
            raise ValueError("'without_relevant' must be 'zero' where no query has a relevant item (got 'skip')")
        values = {name: column[kept] for name, column in values.items() if name != "relevant" or name in metrics}
    return {name: column.mean().item() for name, column in values.items()}


def class_means(values: Tensor, query_labels: Tensor) -> Tensor:
    """Mean of a metric over the queries that carry each label, with the queries without relevant items.

    Args:
        values: Of each query, shape (Q,), as `query_metrics` gives them.
        query_labels: Multi-hot, shape (Q, C).

    Returns:
        Shape (C,), float64; NaN where no query carries the label.

    Raises:
        ValueError: If the labels are not those of as many queries.

    Example:
        >>> import torch
        >>> from labelgraph.metrics import class_means
        >>> class_means(torch.tensor([1.0, 0.5]), torch.tensor([[1, 0, 0], [1, 1, 0]]))
        tensor([0.7500, 0.5000,    nan], dtype=torch.float64)
    """
    if query_labels.ndim != 2 or len(query_labels) != len(values):
        raise ValueError(
            f"'query_labels' must have {len(values)} rows, as there are values (got shape {tuple(query_labels.shape)})"
        )
    carried = (query_labels > 0).to(values.device).double()
    return carried.t() @ values.double() / carried.sum(0)


def _read(metrics: Sequence[str], ties: str) -> list[MetricName]:
    if isinstance(metrics, str) or not metrics:
        raise ValueError(f"'metrics' must be a list of at least one name (got {metrics!r})")
    if ties not in TIES:
        raise ValueError(f"'ties' must be one of {', '.join(TIES)} (got {ties!r})")
    names = [read_name(name) for name in metrics]
    return list({name.full: name for name in names}.values())


def _check_distances(names: list[MetricName], similarity: str) -> None:
    for name in names:
        if name.needs_distances and similarity != "hamming":
            raise ValueError(f"'similarity' must be 'hamming' for {name.full!r} in 'metrics' (got {similarity!r})")


def _measure(inputs: RankingInputs, names: list[MetricName], ties: str, block_size: int) -> Tensor:
    """Values of the queries that are ranked, (b, |names|)."""
    bucketed = [name for name in names if ties == "expected" or name.needs_distances]
    ranked = [name for name in names if name not in bucketed]
    columns: dict[str, Tensor] = {}
    if ranked:
        blocks = [measure_ranking(block, ranked) for block in ranked_blocks(inputs, block_size)]
        columns |= zip([name.full for name in ranked], torch.cat(blocks).unbind(1), strict=True)
    if bucketed:
        blocks = [measure_buckets(block, bucketed) for block in bucket_blocks(inputs, block_size)]
        columns |= zip([name.full for name in bucketed], torch.cat(blocks).unbind(1), strict=True)
    return torch.stack([columns[name.full] for name in names], 1)
